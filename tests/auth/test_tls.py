"""TLS of the hub's ports, over real sockets: what clients verify, and certificates that change under way."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tron_core.auth.certificate_folder import CertificateFolder
from tron_core.auth.certificates import issue_client, load_authority
from tron_core.auth.tls import HubTls
from tron_core.errors import ConfigError

NAME = "hub.example.org"


@pytest.fixture
def folder(tmp_path: Path) -> CertificateFolder:
    folder = CertificateFolder(tmp_path / "certs")
    folder.create([NAME], datetime.now(UTC))
    return folder


@asynccontextmanager
async def served(tls: HubTls) -> AsyncIterator[int]:
    """A server that says hello to whoever is let in; its port."""

    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hello, "127.0.0.1", 0, ssl=tls.context) as server:
        yield server.sockets[0].getsockname()[1]


async def greeted(port: int, ca: Path, name: str = NAME, client: tuple[Path, Path] | None = None) -> bytes:
    """Connect as a worker does; the certificate that was served (DER)."""
    context = ssl.create_default_context(cafile=ca)
    if client is not None:
        context.load_cert_chain(*client)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    try:
        if await reader.readline() != b"hello\n":
            raise ConnectionError("turned away")
        certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return certificate
    finally:
        writer.close()
        try:
            await writer.wait_closed()
        except ssl.SSLError:
            pass  # the server has turned this client away


def der(pem: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem.read_text().partition("-----END CERTIFICATE-----")[0] + ssl.PEM_FOOTER)


async def test_a_client_with_the_authority_is_let_in_and_one_with_another_is_not(
    folder: CertificateFolder, tmp_path: Path
) -> None:
    other = CertificateFolder(tmp_path / "other")
    other.create([NAME], datetime.now(UTC))
    async with served(HubTls(folder.server, folder.server_key)) as port:
        assert await greeted(port, folder.ca) == der(folder.server)
        with pytest.raises(ssl.SSLCertVerificationError, match=r"unable to get local issuer certificate|self-signed"):
            await greeted(port, other.ca)
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await greeted(port, folder.ca, name="elsewhere.example.org")


async def test_a_renewed_certificate_is_served_without_a_restart(folder: CertificateFolder) -> None:
    tls = HubTls(folder.server, folder.server_key)
    async with served(tls) as port:
        before = await greeted(port, folder.ca)
        folder.create([NAME], datetime.now(UTC))
        watching = asyncio.create_task(tls.watch(0.01))
        async with asyncio.timeout(10):
            while await greeted(port, folder.ca) == before:
                pass
        watching.cancel()
        assert await greeted(port, folder.ca) == der(folder.server)


def test_files_that_have_not_changed_are_not_read_again(folder: CertificateFolder) -> None:
    tls = HubTls(folder.server, folder.server_key)
    assert not tls.reload_if_changed()
    folder.create([NAME], datetime.now(UTC))
    assert tls.reload_if_changed()
    assert not tls.reload_if_changed()


async def test_a_pair_that_does_not_fit_is_logged_and_the_old_one_kept(
    folder: CertificateFolder, caplog: pytest.LogCaptureFixture
) -> None:
    tls = HubTls(folder.server, folder.server_key)
    before, key = der(folder.server), folder.server_key.read_bytes()
    folder.create([NAME], datetime.now(UTC))
    new_key = folder.server_key.read_bytes()
    folder.server_key.write_bytes(key)
    assert not tls.reload()
    assert "the hub goes on with the certificate it has" in caplog.text
    async with served(tls) as port:
        assert await greeted(port, folder.ca) == before
        folder.server_key.write_bytes(new_key)
        assert tls.reload_if_changed()
        assert await greeted(port, folder.ca) == der(folder.server)


async def test_where_clients_need_a_certificate_one_without_is_turned_away(folder: CertificateFolder) -> None:
    authority = load_authority(folder.ca.read_bytes(), folder.ca_key.read_bytes())
    issued = issue_client(authority, "shed", datetime.now(UTC))
    certificate, key = folder.path / "client.pem", folder.path / "client-key.pem"
    certificate.write_bytes(issued.chain_pem)
    key.write_bytes(issued.key_pem)
    async with served(HubTls(folder.server, folder.server_key, folder.ca)) as port:
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await greeted(port, folder.ca)
        assert await greeted(port, folder.ca, client=(certificate, key)) == der(folder.server)


def test_files_as_acme_clients_write_them_are_taken(folder: CertificateFolder, tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.mkdir()
    for name, target in (("fullchain.pem", folder.server), ("privkey.pem", folder.server_key)):
        (live / name).symlink_to(target)
    tls = HubTls(live / "fullchain.pem", live / "privkey.pem")
    folder.create([NAME], datetime.now(UTC))
    assert tls.reload_if_changed()


@pytest.mark.parametrize("missing", ["server.pem", "server-key.pem", "ca.pem"])
def test_a_file_that_cannot_be_used_is_named(folder: CertificateFolder, missing: str) -> None:
    (folder.path / missing).unlink()
    with pytest.raises(ConfigError, match=rf"hub\.tls_\w+[ :=']*{folder.path}/{missing}'?: (cannot|there is no)"):
        HubTls(folder.server, folder.server_key, folder.ca)
