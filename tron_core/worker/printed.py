"""What an executor process prints, as lines for the console."""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import Callable

LINE_END = re.compile(r"\r\n|\n|\r")
LINE_LENGTH = 500
"""Characters of a line that are shown."""
LINES_A_SECOND = 50
"""Lines that are shown; the rest is counted, so that a flood drowns neither the console nor the log."""


class LineSplitter:
    """Splits what comes in pieces into lines; a progress bar's carriage return ends one too. Holds at most one
    line's worth of characters."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes, *, end: bool = False) -> list[str]:
        *lines, rest = LINE_END.split(self._rest + self._decoder.decode(data, end))
        self._rest = rest[:LINE_LENGTH]
        if end:
            lines.append(rest)
        return [line[:LINE_LENGTH] for line in lines if line.strip()]


async def read_printed(reader: asyncio.StreamReader, show: Callable[[str], None]) -> None:
    """Show what comes until its end; never stops reading, since a full pipe would stop the executor."""
    loop, splitter = asyncio.get_running_loop(), LineSplitter()
    second, shown, left_out = loop.time(), 0, 0
    while True:
        data = await reader.read(64 * 1024)
        if loop.time() - second >= 1.0 or not data:
            if left_out:
                show(f"… and {left_out} more lines")
            second, shown, left_out = loop.time(), 0, 0
        lines = splitter.feed(data, end=not data)
        room = LINES_A_SECOND - shown
        for line in lines[:room]:
            show(line)
        shown += min(len(lines), room)
        left_out += max(0, len(lines) - room)
        if not data:
            return
