"""Files that people give, and what they get back from an artifact's address."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from PIL import Image

from tron_core.services import Services

Client = httpx.AsyncClient


def picture(width: int = 4, height: int = 4, kind: str = "PNG", **options: Any) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (width, height), "navy").save(data, kind, **options)
    return data.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A PNG that says that it is so large, and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


async def stored(client: Client, content: bytes, name: str = "fox.png") -> dict[str, Any]:
    response = await client.post("/uploads", content=content, headers={"X-Filename": name})
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_an_upload_is_an_artifact_whose_kind_is_found_out(alice: Client, nobody: Client) -> None:
    content = picture()
    artifact = await stored(alice, content, "fox.exe")
    assert (artifact["role"], artifact["media_type"], artifact["size"]) == ("input", "image/png", len(content))
    assert artifact["name"] == "fox.exe"
    assert artifact["url"].endswith("/fox.png")
    assert (await nobody.get(artifact["url"])).content == content


async def test_an_upload_may_be_a_form(alice: Client, nobody: Client) -> None:
    response = await alice.post("/uploads", data={"note": "hello"}, files={"file": ("füchse.png", picture())})
    assert response.status_code == 201
    assert response.json()["name"] == "füchse.png"
    assert (await nobody.get(response.json()["url"])).content == picture()


async def test_a_form_with_two_files_leaves_nothing(alice: Client, services: Services) -> None:
    files = [("a", ("a.png", picture())), ("b", ("b.png", picture()))]
    response = await alice.post("/uploads", files=files)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
    left = await asyncio.to_thread(lambda: [p for p in (services.folder / "artifacts").rglob("*") if p.is_file()])
    assert left == []


async def test_an_upload_needs_a_token(nobody: Client) -> None:
    assert (await nobody.post("/api/v1/uploads", content=b"x")).status_code == 401


async def test_too_large_an_upload_is_refused_before_and_while_it_comes(alice: Client) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 100_000

    for content in (b"x" * 3_000_001, endless()):
        response = await alice.post("/uploads", content=content)
        assert (response.status_code, response.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (picture(101, 100), "picture_too_large"),
        (picture(101, 100, "JPEG"), "picture_too_large"),
        (picture(101, 100, "JPEG", exif=b"Exif\0\0" + b"x" * 60_000), "picture_too_large"),
        (png_of(200_000, 200_000), "picture_too_large"),
        (picture()[:20], "picture_unreadable"),
    ],
)
async def test_a_picture_of_too_many_pixels_is_refused(alice: Client, content: bytes, code: str) -> None:
    response = await alice.post("/uploads", content=content)
    assert (response.status_code, response.json()["code"]) == (422, code)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
async def test_a_picture_within_the_limit_is_taken(alice: Client, kind: str) -> None:
    assert (await stored(alice, picture(100, 100, kind)))["media_type"].startswith("image/")


async def test_an_upload_is_the_input_of_a_job(alice: Client) -> None:
    artifact = await stored(alice, picture())
    taken = await alice.post("/jobs", json={"capability": "held", "params": {"image": artifact["id"]}})
    assert taken.status_code == 202
    text = await stored(alice, b"hello", "note.txt")
    wrong = await alice.post("/jobs", json={"capability": "held", "params": {"image": text["id"]}})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_params")


async def test_a_file_is_answered_in_parts(alice: Client, nobody: Client) -> None:
    url = (await stored(alice, b"0123456789", "digits.txt"))["url"]
    whole = await nobody.get(url)
    assert whole.status_code == 200
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-length"] == "10"
    part = await nobody.get(url, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    beyond = await nobody.get(url, headers={"Range": "bytes=10-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10")
    assert beyond.json()["code"] == "range_not_satisfiable"
    head = await nobody.head(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "10")


async def test_a_file_is_not_sent_again_to_who_has_it(alice: Client, nobody: Client) -> None:
    url = (await stored(alice, b"0123456789", "digits.txt"))["url"]
    etag = (await nobody.get(url)).headers["etag"]
    again = await nobody.get(url, headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    resumed = await nobody.get(url, headers={"Range": "bytes=5-", "If-Range": etag})
    assert resumed.content == b"56789"
    changed = await nobody.get(url, headers={"Range": "bytes=5-", "If-Range": '"other"'})
    assert changed.content == b"0123456789"


@pytest.mark.parametrize(
    ("content", "disposition", "kind"),
    [
        (picture(), "inline", "image/png"),
        (b"hello", "inline", "text/plain; charset=utf-8"),
        (b"<!doctype html><script>alert(1)</script>", "inline", "text/plain; charset=utf-8"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', "attachment", "image/svg+xml"),
        (b"PK\x03\x04" + b"\0" * 100, "attachment", "application/zip"),
    ],
)
async def test_a_browser_is_shown_only_what_it_does_not_run(
    alice: Client, nobody: Client, content: bytes, disposition: str, kind: str
) -> None:
    answer = await nobody.get((await stored(alice, content, "x.html"))["url"])
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-disposition"].startswith(f"{disposition}; ")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert "immutable" in answer.headers["cache-control"]


async def test_an_address_is_the_key_and_the_name(alice: Client, nobody: Client) -> None:
    url = (await stored(alice, b"hello", "note.txt"))["url"]
    key = url.split("/")[-2]
    for path in (f"/artifacts/{key}/other.txt", "/artifacts/nosuchkey/note.txt", f"/artifacts/{key}/..%2f..%2ftron.db"):
        assert (await nobody.get(path)).status_code == 404
