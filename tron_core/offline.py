"""Administration where no hub runs: in the database itself, which is held alone meanwhile."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, select
from ulid import ULID

from tron_core.auth.audit import Action
from tron_core.auth.principal import Scope
from tron_core.auth.service import Auth
from tron_core.clock import SystemClock
from tron_core.config import Loaded
from tron_core.errors import ConfigError, Conflict, NotFound
from tron_core.frontends import rules
from tron_core.frontends.http.routes import audit, guilds, tokens, users
from tron_core.frontends.http.shapes import Shaper
from tron_core.job import Job, JobState, Outcome, StoredReply
from tron_core.scheduling.views import LiveJob
from tron_core.storage import migrations
from tron_core.storage.database import Database
from tron_core.storage.deliveries import NewDelivery
from tron_core.storage.engine import resolve_url, sqlite_file
from tron_core.storage.guild_rules import GuildRules
from tron_core.storage.job_queries import fetch, fetch_many, list_ids
from tron_core.storage.jobs import Move, move_job
from tron_core.storage.tables import workers
from tron_core.storage.workers import set_draining

Json = dict[str, Any]
T = TypeVar("T")

REASON = "cancelled by an administrator"


@contextmanager
def open_administration(loaded: Loaded, *, make: bool = True) -> Iterator[OfflineAdministration]:
    """The database of ``loaded``, brought up to date as a hub would, and made where there is none unless ``make`` says
    no; raises ConfigError where it cannot be used."""
    file = sqlite_file(resolve_url(loaded.settings.database.url, loaded.folder))
    if not (make or file is None or file.exists()):
        raise ConfigError(
            f"no hub runs in {loaded.folder}, and there is no database {file} yet: `tron init` or `tron run` makes "
            "one; name another configuration with --config, or another hub with --url and --token"
        )
    bring_up_to_date(loaded)
    database = Database(loaded.settings.database.url, folder=loaded.folder)
    with asyncio.Runner() as runner:
        runner.run(database.start())
        try:
            yield OfflineAdministration(loaded, database, runner)
        finally:
            runner.run(database.stop())


def bring_up_to_date(loaded: Loaded, *, may_change: bool = True) -> None:
    """Make the tables, or the database on SQLite, as new as the program, where the hub would do that as it starts.

    Raises ConfigError where somebody has to do it, as they have where it may not be changed.
    """
    settings = loaded.settings.database
    if may_change and settings.url.startswith("sqlite") and settings.auto_upgrade:
        migrations.upgrade(settings.url, loaded.folder)
    elif not migrations.is_current(settings.url, loaded.folder):
        raise ConfigError("database.url: the schema is outdated; run `tron db upgrade` first")


class OfflineAdministration:
    """What ``tron_core.cli.administration.Administration`` says, with the same JSON."""

    def __init__(self, loaded: Loaded, database: Database, runner: asyncio.Runner) -> None:
        self._clock = SystemClock()
        self._database = database
        self._auth = Auth(database, self._clock)
        self._guild_rules = GuildRules(database, self._clock)
        self._run_until_complete = runner.run
        self._shaper = Shaper(f"{(loaded.settings.http.public_url or '').rstrip('/')}/artifacts")

    def users(self) -> list[Json]:
        return [{**users.shape(user)} for user in self._run(self._auth.list_users())]

    def create_user(self, username: str, password: str, email: str | None, scope: str) -> Json:
        user = self._run(self._auth.create_user(username, password, email=email, scope=Scope(scope)))
        self._record(Action.USER_CREATED, user.username, scope=user.scope.value)
        return {**users.shape(user)}

    def change_user(self, username: str, change: Mapping[str, Any]) -> Json:
        if "scope" in change:
            self._run(self._auth.promote(username, Scope(change["scope"])))
        if change.get("banned") is True:
            self._run(self._auth.ban(username, change.get("ban_reason")))
        elif change.get("banned") is False:
            self._run(self._auth.unban(username))
        if "channels" in change:
            self._run(self._auth.grant_channels(username, change["channels"]))
        self._record(Action.USER_CHANGED, username, **change)
        return {**users.shape(self._run(self._auth.get_user(username)))}

    def delete_user(self, username: str) -> None:
        self._run(self._auth.delete_user(username))
        self._record(Action.USER_DELETED, username)

    def tokens(self, username: str | None) -> list[Json]:
        return [{**tokens.shape(view)} for view in self._run(self._auth.list_tokens(username))]

    def create_tokens(self, username: str, plugin: str | None = None) -> tuple[Json, Json]:
        api_key, token = self._run(self._auth.create_client_tokens(username, plugin=plugin))
        self._record(Action.CREDENTIAL_CREATED, username, client_id=api_key["client_id"])
        return api_key, token

    def revoke(self, token: str) -> None:
        if token.isascii() and token.isdigit():
            self._run(self._auth.revoke_token(int(token[:18])))
            self._record(Action.TOKEN_REVOKED, token)
        else:
            self._run(self._auth.revoke_credential(token))
            self._record(Action.CREDENTIAL_REVOKED, token)

    def jobs(self, states: list[str], capability: str | None, requester: str | None, limit: int) -> list[Json]:
        wanted = [JobState(state) for state in states]

        def read(connection: Connection) -> list[Job]:
            ids = list_ids(
                connection, requester=requester, states=wanted, capability=capability, limit=limit, before=None
            )
            return fetch_many(connection, ids)

        return [self._shape(job) for job in self._run(self._database.read(read))]

    def job(self, job: str) -> Json:
        return self._shape(self._fetch(job))

    def cancel(self, job: str) -> Json:
        found = self._fetch(job)
        if found.state.over:
            raise Conflict(f"Job {job} is over already: {found.state}.", code="job_over")
        move = _cancelled(found, self._clock.now())
        if not self._run(self._database.write(lambda connection: move_job(connection, move))):
            raise Conflict(f"Job {job} has changed meanwhile; try again.")
        self._record(Action.JOB_CANCELLED, job)
        return self.job(job)

    def drain(self, worker: str, draining: bool) -> None:
        known = self._run(self._database.read(_worker_names))
        if worker not in known:
            raise NotFound(f"There is no worker {worker!r}; known: {', '.join(known) or 'none'}.")
        self._run(self._database.write(lambda connection: set_draining(connection, worker, draining)))
        self._record(Action.WORKER_CHANGED, worker, draining=draining)

    def audit(self, actor: str | None, limit: int) -> list[Json]:
        return [{**audit.shape(entry)} for entry in self._run(self._auth.audit.entries(limit=limit, actor=actor))]

    def guilds(self) -> list[Json]:
        found = self._run(self._guild_rules.guilds())
        return [{"id": guild, "rules": self._run(self._guild_rules.of(guild))} for guild in found]

    def rules(self, guild: str) -> list[Json]:
        found = self._run(self._guild_rules.of(guild))
        return [{**guilds.shape(key, found.get(key))} for key in rules.RULES]

    def set_rule(self, guild: str, rule: str, value: Any) -> None:
        checked = rules.check(rule, value)
        self._run(self._guild_rules.set(guild, rule, checked))
        self._record(Action.RULE_CHANGED, f"guild:{guild}", rule=rule, value=checked)

    def remove_rule(self, guild: str, rule: str) -> None:
        rules.named(rule)
        if rule not in self._run(self._guild_rules.of(guild)):
            raise NotFound(f"guild {guild} has not set {rule}")
        self._run(self._guild_rules.set(guild, rule, None))
        self._record(Action.RULE_CHANGED, f"guild:{guild}", rule=rule, value=None)

    def ban_member(self, guild: str, member: str, banned: bool) -> None:
        if not banned and member not in self._run(self._guild_rules.of(guild)).get(guilds.BANNED, ()):
            raise NotFound(f"{member} is not banned in guild {guild}")
        change = self._guild_rules.add if banned else self._guild_rules.discard
        self._run(change(guild, guilds.BANNED, member))
        sign = "+" if banned else "-"
        self._record(Action.RULE_CHANGED, f"guild:{guild}", rule=guilds.BANNED, value=f"{sign}{member}")

    def _record(self, action: Action, target: str, **detail: Any) -> None:
        self._run(self._auth.audit.record(f"console:{operator()}", action, target, **detail))

    def _fetch(self, job: str) -> Job:
        found = self._run(self._database.read(lambda connection: fetch(connection, job)))
        if found is None:
            raise NotFound(f"There is no job {job}.")
        return found

    def _shape(self, job: Job) -> Json:
        return {**self._shaper.job(LiveJob(job))}

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._run_until_complete(work)


def operator() -> str:
    """Who has opened the database, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may know no names
        return "unknown"


def _worker_names(connection: Connection) -> list[str]:
    return list(connection.scalars(select(workers.c.name).order_by(workers.c.name)))


def _cancelled(job: Job, now: float) -> Move:
    """The transition that a running hub would make; the next one that starts delivers the reply."""
    message = f"Cancelled: {REASON}."
    running = job.state is JobState.RUNNING
    return Move(
        job.id,
        job.attempt,
        job.state,
        JobState.CANCELLED,
        now,
        {"finished_at": now, "error_code": "cancelled", "error_message": message},
        Outcome.CANCELLED if running else None,
        REASON if running else None,
        StoredReply(message),
        None if job.target is None else NewDelivery(str(ULID()), job.id, job.target.frontend, now),
    )
