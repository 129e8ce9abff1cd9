from __future__ import annotations

import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_core.storage.sniff import HEAD_BYTES, filename_for, media_type

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 1, 1, 8, 6, 0, 0, 0) + b"\0" * 16
WAV = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0" + b"\0" * 32


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (PNG, "image/png"),
        (WAV, "audio/wav"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\x01" * 20, "image/jpeg"),
        (b"PK\x03\x04\x14\0\0\0" + b"\0" * 40, "application/zip"),
        (b"%PDF-1.7\n1 0 obj", "application/pdf"),
        (b'{"a": [1, 2]}', "application/json"),
        (b"\xef\xbb\xbf[1, 2]", "application/json"),
        (b"{not json}", "text/plain"),
        (b'{"cut": "' + b"x" * HEAD_BYTES, "application/json"),
        (b'<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
        (b"<html><script>alert(1)</script>", "text/plain"),
        ("Grüße".encode()[:-1], "text/plain"),
        (b"BMW is a car", "text/plain"),
        (b"MZ\0\1 no text", "application/x-msdownload"),
        (b"\0\1\2\3", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_the_type_is_what_the_bytes_say(head: bytes, kind: str) -> None:
    assert media_type(head[:HEAD_BYTES]) == kind


@pytest.mark.parametrize(
    ("name", "kind", "filename"),
    [
        ("fox.png", "image/png", "fox.png"),
        ("fox.JPEG", "image/jpeg", "fox.jpeg"),
        ("fox.png", "image/jpeg", "fox.jpg"),
        ("page.html", "text/plain", "page.txt"),
        ("notes.md", "text/plain", "notes.md"),
        ("run.exe", "application/octet-stream", "run.bin"),
        ("../../etc/passwd", "text/plain", "passwd.txt"),
        ("C:\\temp\\a b.wav", "audio/wav", "a_b.wav"),
        ("...", "image/png", "file.png"),
        ("Füchse.webp", "image/webp", "F_chse.webp"),
        ("speech", "audio/x-nobody-knows", "speech.bin"),
    ],
)
def test_a_file_name_is_safe_and_its_extension_fits(name: str, kind: str, filename: str) -> None:
    assert filename_for(name, kind) == filename


@given(st.text(max_size=300), st.sampled_from(["image/png", "text/plain", "application/octet-stream"]))
def test_every_name_becomes_a_safe_one(name: str, kind: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,110}\.[a-z]+", filename_for(name, kind))


@given(st.binary(max_size=200))
def test_no_bytes_are_beyond_it(head: bytes) -> None:
    assert "/" in media_type(head)
