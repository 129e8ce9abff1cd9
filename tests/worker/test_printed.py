import asyncio

from tron_core.worker.printed import LINE_LENGTH, LINES_A_SECOND, LineSplitter, read_printed


def test_lines_come_whole_however_they_are_cut() -> None:
    splitter = LineSplitter()
    lines = [line for n in range(0, 30, 3) for line in splitter.feed("eins\nzwei ä\r\ndrei\n".encode()[n : n + 3])]
    assert lines == ["eins", "zwei ä", "drei"]


def test_a_progress_bar_is_lines_too() -> None:
    assert LineSplitter().feed(b"10 %\r20 %\r\n\n  \n30 %", end=True) == ["10 %", "20 %", "30 %"]


def test_what_is_no_text_is_shown_all_the_same() -> None:
    assert LineSplitter().feed(b"\xff\xfe\n") == ["\N{REPLACEMENT CHARACTER}" * 2]


def test_an_endless_line_fills_no_memory() -> None:
    splitter = LineSplitter()
    for _ in range(100):
        splitter.feed(b"x" * 10_000)
    assert splitter.feed(b"", end=True) == ["x" * LINE_LENGTH]


async def test_a_flood_is_counted_not_shown() -> None:
    reader, shown = asyncio.StreamReader(), []
    reader.feed_data(b"line\n" * 200)
    reader.feed_eof()
    await read_printed(reader, shown.append)
    assert shown == ["line"] * LINES_A_SECOND + ["… and 150 more lines"]
