"""The one file of a multipart/form-data body, as it arrives: never whole in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from tron_core.frontends.http.errors import BadRequest
from tron_core.frontends.http.filenames import from_disposition

MAX_FIELDS = 20


class FileStream:
    """Reads a body of parts; parts that are no files are passed over, a second file is an error.

    ``open`` reads up to the file's first byte and returns its name; iterate ``chunks`` for its bytes.
    """

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise BadRequest("Content-Type: multipart/form-data needs a boundary")
        self._body = body
        self._chunks: deque[bytes] = deque()
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._disposition: str | None = None
        self._parts = 0
        self._name: str | None = None
        self._in_file = False
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_end": self._on_end,
            },
        )

    async def open(self) -> str:
        """The name of the file; raises BadRequest where there is none."""
        while self._name is None and await self._feed():
            pass
        if self._name is None:
            raise BadRequest("The form holds no file: send one field with a filename")
        return self._name

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file's bytes; raises BadRequest where the form is broken, cut short, or holds another file."""
        more = True
        while self._chunks or more:
            while self._chunks:
                yield self._chunks.popleft()
            more = await self._feed()
        if not self._ended:
            raise BadRequest("The form ends before its last boundary")

    async def _feed(self) -> bool:
        """Parse the next piece of the body; False at its end."""
        piece = await anext(self._body, b"")
        if not piece:
            return False
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise BadRequest(f"The body is not multipart/form-data: {error}") from None
        return True

    def _on_part_begin(self) -> None:
        self._parts += 1
        self._disposition = None
        self._in_file = False
        if self._parts > MAX_FIELDS:
            raise BadRequest(f"The form has more than {MAX_FIELDS} fields")

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def _on_header_end(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = value.decode("utf-8", "replace")
        name.clear()
        value.clear()

    def _on_headers_finished(self) -> None:
        name = from_disposition(self._disposition)
        if name is None:
            return
        if self._name is not None:
            raise BadRequest("The form holds two files; one upload takes one")
        self._name = name
        self._in_file = True

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._chunks.append(data[start:end])

    def _on_end(self) -> None:
        self._ended = True
