from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_core.frontends.http.errors import BadRequest
from tron_core.frontends.http.multipart import FileStream

TYPE = "multipart/form-data; boundary=XX"


def form(*parts: tuple[str, bytes], end: bytes = b"--XX--\r\n") -> bytes:
    body = b"".join(
        b"--XX\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (head.encode(), data) for head, data in parts
    )
    return body + end


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, size: int = 7) -> tuple[str, bytes]:
    stream = FileStream(TYPE, pieces(body, size))
    name = await stream.open()
    return name, b"".join([chunk async for chunk in stream.chunks()])


@given(st.binary(max_size=200), st.integers(1, 50))
async def test_a_file_comes_through_whatever_the_pieces(data: bytes, size: int) -> None:
    if b"--XX" in data:
        return
    body = form(('name="note"', b"hello"), ('name="file"; filename="fox.png"', data), ('name="more"', b"x"))
    assert await read(body, size) == ("fox.png", data)


async def test_a_form_without_a_file_is_refused() -> None:
    with pytest.raises(BadRequest, match="holds no file"):
        await read(form(('name="note"', b"hello")))


async def test_a_second_file_is_refused() -> None:
    file = ('name="file"; filename="fox.png"', b"abc")
    with pytest.raises(BadRequest, match="two files"):
        await read(form(file, file))


async def test_a_form_that_is_cut_short_is_refused() -> None:
    with pytest.raises(BadRequest, match="last boundary"):
        await read(form(('name="file"; filename="fox.png"', b"abc"), end=b""))


async def test_a_body_that_is_no_form_is_refused() -> None:
    with pytest.raises(BadRequest, match="not multipart"):
        await read(b"hello, world\r\n")


def test_a_content_type_without_a_boundary_is_refused() -> None:
    with pytest.raises(BadRequest, match="boundary"):
        FileStream("multipart/form-data", pieces(b"", 1))


async def test_the_number_of_fields_is_bounded() -> None:
    with pytest.raises(BadRequest, match="more than"):
        await read(form(*[('name="note"', b"")] * 50))
