"""Brings in files that people name: attachments from Discord's CDN, pictures from other URLs through a guard."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import aiohttp
import discord
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from tron_core.errors import Refused, TooLarge
from tron_core.frontends.http.pictures import bounded
from tron_core.job import Artifact, Role
from tron_core.services import Services

TIME_LIMIT = 30.0
"""Seconds that one file has."""
MAX_REDIRECTS = 3
_CHUNK = 64 * 1024


class PublicResolver(AbstractResolver):
    """Resolves names to addresses of the internet alone. What is connected to is what was checked here, so that a name
    that changes its address in between gains nothing."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        public = [each for each in found if is_public(each["host"])]
        if not public:
            raise OSError(f"{host} is no address of the internet")
        return public

    async def close(self) -> None:
        await self._resolver.close()


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet: not private, loopback, link-local, shared or reserved."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None) or getattr(parsed, "sixtofour", None)
    return parsed.is_global and not parsed.is_multicast and (mapped is None or mapped.is_global)


class Fetcher:
    """Stores what it fetches as inputs; ``resolver`` decides which hosts URLs may name."""

    def __init__(self, services: Services, *, resolver: type[AbstractResolver] = PublicResolver) -> None:
        self._artifacts = services.artifacts
        self._limits = services.settings.limits
        self._resolver = resolver

    async def attachments(self, given: Sequence[discord.Attachment], owner: str) -> list[Artifact]:
        """The files of a message as artifacts; raises TooLarge, Refused."""
        for each in given:
            if each.size > self._limits.upload_bytes:
                text = f"{each.filename}: {each.size} bytes; at most {self._limits.upload_bytes} are taken"
                raise TooLarge(text)
        return [await self._attachment(each, owner) for each in given]

    async def _attachment(self, given: discord.Attachment, owner: str) -> Artifact:
        try:
            async with asyncio.timeout(TIME_LIMIT):
                data = await given.read()
        except (discord.HTTPException, TimeoutError) as error:
            raise Refused(f"{given.filename} could not be fetched from Discord: {error}") from None
        return await self._keep(given.filename, _chunks(data), owner)

    async def url(self, url: str, owner: str) -> Artifact:
        """The file at a URL that a person named; raises Refused where it may not be fetched, or cannot."""
        connector = aiohttp.TCPConnector(resolver=self._resolver(), use_dns_cache=False)
        timeout = aiohttp.ClientTimeout(total=TIME_LIMIT)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session:
            try:
                return await self._follow(session, url, owner)
            except (aiohttp.ClientError, OSError) as error:
                raise Refused(f"{url} cannot be fetched: {error}") from None

    async def _follow(self, session: aiohttp.ClientSession, url: str, owner: str) -> Artifact:
        for _ in range(MAX_REDIRECTS + 1):
            self._check(url)
            async with session.get(url, allow_redirects=False) as response:
                if response.status in (301, 302, 303, 307, 308):
                    url = urljoin(url, response.headers.get("Location", ""))
                    continue
                if response.status != 200:
                    raise Refused(f"{url} answered {response.status}")
                if (response.content_length or 0) > self._limits.upload_bytes:
                    raise TooLarge(f"{url} is larger than {self._limits.upload_bytes} bytes")
                name = unquote(urlsplit(url).path.rsplit("/", 1)[-1]) or "file"
                return await self._keep(name, response.content.iter_chunked(_CHUNK), owner)
        raise Refused(f"{url}: more than {MAX_REDIRECTS} redirects")

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise Refused(f"{url}: only plain http and https URLs are fetched")
        # An address in digits is not resolved, so that nobody would look at it.
        if self._resolver is PublicResolver and _is_literal(parts.hostname) and not is_public(parts.hostname):
            raise Refused(f"{url} is no address of the internet")

    async def _keep(self, name: str, chunks: Any, owner: str) -> Artifact:
        checked = bounded(aiter(chunks), self._limits.picture_pixels)
        printable = "".join(c for c in name if c.isprintable())[-100:] or "file"
        return await self._artifacts.put(printable, checked, owner=owner, role=Role.INPUT)


def _is_literal(host: str) -> bool:
    """Whether a host is an IP address in any spelling that a resolver would take without asking anybody."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.replace(".", "").replace("x", "").isalnum() and host.split(".")[-1][:1].isdigit()
    return True


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]
