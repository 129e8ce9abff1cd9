"""What `tron init` does with the answers: secrets, database, administrator, certificates, and tron.toml last."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer

from tron_core.auth.certificate_folder import CertificateFolder
from tron_core.auth.certificates import check_name
from tron_core.cli.certs import FOLDER, names_for
from tron_core.cli.context import Context
from tron_core.config import FILE, Loaded, Settings, load
from tron_core.errors import ConfigError, Conflict
from tron_core.offline import open_administration
from tron_core.private_file import write_whole
from tron_core.sections import read_secret
from tron_core.setup import mysql
from tron_core.setup.secrets import Secret, file_of, keep, wanted_by
from tron_core.setup.tron_toml import Answers, tron_toml

if TYPE_CHECKING:
    from tron_core.cli.init import Given

DEFAULT_DATABASE = "sqlite:///tron.db"
DISCORD = "DISCORD_TOKEN"
PASSWORD_BYTES = 12


class SettingUp:
    """Raises ConfigError where there is a configuration already, unless ``force``."""

    def __init__(self, context: Context, *, force: bool) -> None:
        named = context.config or (Path(os.environ["TRON_CONFIG"]) if os.environ.get("TRON_CONFIG") else Path(FILE))
        self.file = named.absolute()
        self.folder = self.file.parent
        if self.file.exists() and not force:
            raise ConfigError(f"{self.file}: is there already; --force replaces it and keeps it as {self._old.name}")
        plugins = context.load_plugins(self._loaded(DEFAULT_DATABASE))
        self.secrets: list[Secret] = list(wanted_by(plugins))

    def run(self, given: Given, *, hub_port: int, http_port: int) -> None:
        """Do it all; raises ConfigError, and nothing is configured then."""
        host = self._public_host(given)
        url = self._database_url(given.database or DEFAULT_DATABASE)
        self.folder.mkdir(parents=True, exist_ok=True)
        answers = Answers(
            host,
            hub_port,
            http_port,
            self._kept_database(given.database or DEFAULT_DATABASE),
            self._kept(given.keys, DISCORD),
            self._plugin_secrets(given.keys),
        )
        password = self._make_administrator(url, given)
        if host is not None:
            self._make_certificates(host)
        self._write(answers)
        self._tell(given, answers, password)

    def _public_host(self, given: Given) -> str | None:
        if not given.from_elsewhere:
            return None
        if given.public is None:
            raise ConfigError("--elsewhere needs --public HOST: the name or address under which workers reach this one")
        return check_name(given.public)

    def _database_url(self, given: str) -> str:
        """The URL itself, of a database that can be used."""
        url = read_secret("--database", given, self.folder)
        if mysql.is_mysql(url):
            mysql.require_usable(mysql.inspect_server(url, self.folder))
        return url

    def _kept_database(self, given: str) -> str:
        return given if urlsplit(given).password is None else keep(given, file_of("DATABASE_URL"), self.folder)

    def _kept(self, keys: Mapping[str, str], variable: str) -> str | None:
        return keep(keys[variable], file_of(variable), self.folder) if variable in keys else None

    def _plugin_secrets(self, keys: Mapping[str, str]) -> dict[tuple[str, str], str]:
        """What plugins asked for; the rest is kept in its file, and a note says so."""
        found: dict[tuple[str, str], str] = {}
        for variable in keys:
            reference = self._kept(keys, variable)
            wanted = [secret for secret in self.secrets if secret.variable == variable]
            for secret in wanted:
                _, name, key = secret.key.split(".")
                found[name, key] = str(reference)
            if not wanted and variable != DISCORD:
                typer.echo(f"note: no installed plugin asks for {variable}; where one does, write {reference!r} there")
        return found

    def _make_administrator(self, url: str, given: Given) -> str | None:
        """Bring the database up to date and add the administrator; the password, where one was made."""
        from tron_core.storage import migrations

        made = None if given.admin_password else secrets.token_urlsafe(PASSWORD_BYTES)
        for applied in migrations.upgrade(url, self.folder):
            if applied.error is not None:
                typer.echo(f"warning: the tables of the plugin {applied.owner}: {applied.error}", err=True)
        with open_administration(self._loaded(url)) as administration:
            try:
                administration.create_user(given.admin, given.admin_password or str(made), None, "admin")
            except Conflict:
                typer.echo(f"note: there is a user {given.admin} already, who is left as they are")
                return None
        return made

    def _make_certificates(self, host: str) -> None:
        place = CertificateFolder(self.folder / FOLDER)
        place.create(names_for(self._loaded(DEFAULT_DATABASE), place, [host]), datetime.now(UTC))

    def _write(self, answers: Answers) -> None:
        if self.file.exists():
            self.file.replace(self._old)
        try:
            write_whole(self.file, tron_toml(answers), mode=0o640)
        except OSError as error:
            raise ConfigError(f"{self.file}: cannot be written: {error.strerror}") from None

    @property
    def _old(self) -> Path:
        return self.file.with_name(f"{self.file.name}.old")

    def _loaded(self, url: str) -> Loaded:
        """As if this were configured and nothing else: tron.toml comes last."""
        return Loaded(Settings.model_validate({"database": {"url": url}}), None, self.folder, {})

    def _tell(self, given: Given, answers: Answers, password: str | None) -> None:
        typer.echo(f"{self.file} is written, the database is made")
        if answers.public_host is not None:
            typer.echo(f"{self.folder / FOLDER}: the certificate for {answers.public_host}, and its authority")
        if password is not None:
            typer.echo(f"the administrator is {given.admin}, with the password {password}  (shown this once)")
        try:
            load(self.file)
        except ConfigError as error:
            typer.echo(f"before the hub starts: {error.message}", err=True)
        option = "" if self.file == Path.cwd() / FILE else f"--config {self.file} "
        typer.echo(f"\nNext:\n    tron {option}doctor\n    tron {option}run")
        if answers.public_host is not None:
            typer.echo(
                f"\nFor each worker:\n    tron {option}create-worker-user --username gpu-1\n"
                f"    tron {option}create-client-tokens --username gpu-1 --kit kit-gpu-1"
            )
