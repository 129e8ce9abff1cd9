"""Files that people name: what is fetched, and what is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver

from tron_core.app import Hub
from tron_core.errors import Refused, TooLarge, TronError
from tron_core.frontends.discord.fetching import Fetcher, PublicResolver, is_public

PNG = (Path(__file__).parents[2] / "data" / "harbour.png").read_bytes()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "fe80::1",
     "fd00::1", "::ffff:127.0.0.1", "2002:7f00:1::", "not an address"],
)  # fmt: skip
def test_addresses_that_are_not_of_the_internet(address: str) -> None:
    assert not is_public(address)


def test_addresses_of_the_internet() -> None:
    assert is_public("1.1.1.1")
    assert is_public("2606:4700::1111")


class OpenResolver(ThreadedResolver):
    """Lets this machine be reached, as the tests' server is here."""


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """A web server with a picture, a redirect, and a file without end."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(200):
            await response.write(b"x" * 65536)
        return response

    async def redirect(request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query["to"])

    async def round_and_round(request: web.Request) -> web.Response:
        raise web.HTTPFound("/round")

    async def picture(request: web.Request) -> web.Response:
        return web.Response(body=PNG)

    app = web.Application()
    app.router.add_get("/fox.png", picture)
    app.router.add_get("/endless", endless)
    app.router.add_get("/go", redirect)
    app.router.add_get("/round", round_and_round)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def fetcher(hub: Hub, resolver: type[AbstractResolver]) -> Fetcher:
    return Fetcher(hub.services, resolver=resolver)


@pytest.fixture
def configured(configured: dict[str, Any]) -> dict[str, Any]:
    return {**configured, "limits": {"upload_bytes": 1_000_000, "picture_pixels": 10_000_000}}


async def test_a_picture_is_fetched_through_redirects(hub: Hub, site: str) -> None:
    artifact = await fetcher(hub, OpenResolver).url(f"{site}/go?to=/fox.png", "discord:1")
    assert (artifact.name, artifact.media_type, artifact.owner) == ("fox.png", "image/png", "discord:1")


async def test_what_is_too_large_is_not_kept(hub: Hub, site: str) -> None:
    with pytest.raises(TooLarge):
        await fetcher(hub, OpenResolver).url(f"{site}/endless", "discord:1")


async def test_a_redirect_to_itself_ends(hub: Hub, site: str) -> None:
    with pytest.raises(Refused, match="more than 3 redirects"):
        await fetcher(hub, OpenResolver).url(f"{site}/round", "discord:1")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://169.254.169.254/latest/meta-data", "http://2130706433/",
     "http://0x7f.1/", "http://0177.0.0.1/", "file:///etc/passwd", "ftp://example.org/x", "http://user@1.1.1.1/"],
)  # fmt: skip
async def test_nothing_but_the_internet_is_reached(hub: Hub, url: str) -> None:
    with pytest.raises(TronError):
        await fetcher(hub, PublicResolver).url(url, "discord:1")


async def test_a_redirect_to_this_machine_is_not_followed(hub: Hub, site: str) -> None:
    guarded = fetcher(hub, PublicResolver)
    with pytest.raises(Refused, match="no address of the internet"):
        await guarded.url(f"{site}/fox.png", "discord:1")
    with pytest.raises(Refused):
        await guarded.url(site.replace("127.0.0.1", "localhost") + "/fox.png", "discord:1")
