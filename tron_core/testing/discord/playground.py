"""A Discord in the terminal: what is typed is said in a channel, what the bot answers is printed."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tron_core.config import Loaded
from tron_core.testing.discord.people import FakeDiscord, Modal, Place, Reply
from tron_core.testing.discord.server import TOKEN
from tron_core.testing.discord.world import Attachment

HELP = """\
You are in #general, and the bot is there. Type as in Discord: !help, or @bot and a text. Besides:
  :click LABEL       press a button of the latest answer      :react EMOJI    react to it
  :send FILE TEXT    write a text with a file                 :quit           stop the hub
  :form NAME=VALUE   send the form that a button opened, some of it changed\
"""


class Playground:
    """``write`` prints a line. Files of answers are put into a folder of their own, whose paths are printed."""

    def __init__(self, write: Callable[[str], None] = print) -> None:
        self._write = write
        self._discord = FakeDiscord()
        self._member = self._discord.member("you")
        self._discord.guild.owner = self._member.user  # who may do everything: !admin too
        self._printed: dict[int, str] = {}
        self._latest: Reply | None = None
        self._form: Modal | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="tron-playground-"))
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, loaded: Loaded) -> Loaded:
        """Begin; returns the configuration of a hub that connects to it."""
        await self._discord.server.start()
        settings = loaded.settings
        there = {"token": TOKEN, "api_url": self._discord.api_url}
        discord = type(settings.discord).model_validate({"prefix": settings.discord.prefix, **there})
        return replace(loaded, settings=settings.model_copy(update={"discord": discord}))

    async def stop(self) -> None:
        """End; answers are printed no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._discord.server.stop()

    def listen(self) -> None:
        """Read the terminal, until ``:quit`` or the end of the input, and print what the bot says."""
        self._write(HELP)
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[str] = asyncio.Queue(maxsize=100)
        reader = threading.Thread(target=_read, args=(loop, lines), daemon=True, name="terminal")
        reader.start()
        self._tasks.add(loop.create_task(self._obey(lines), name="read the terminal"))
        self.watch()

    def watch(self) -> None:
        """Print what the bot says."""
        self._tasks.add(asyncio.get_running_loop().create_task(self._print(), name="print what the bot says"))

    async def _obey(self, lines: asyncio.Queue[str]) -> None:
        while (line := (await lines.get())) and line.strip() != ":quit":
            try:
                await self.do(line.strip())
            except (AssertionError, OSError, ValueError) as error:
                self._write(f"! {error}")
        signal.raise_signal(signal.SIGTERM)

    async def do(self, line: str) -> None:
        """Do what one line says; raises AssertionError, OSError where that cannot be."""
        await self._discord.connected()
        verb, _, rest = line.partition(" ")
        if verb in (":click", ":react"):
            assert self._latest is not None, "there is no answer yet"
            self._answered(await getattr(self._latest, verb[1:])(rest, by=self._member))
        elif verb == ":form":
            assert self._form is not None, "there is no form"
            words = [word.partition("=") for word in shlex.split(rest)]
            self._answered(await self._form.submit(**{name: value for name, _, value in words}))
        elif verb == ":send":
            name, _, text = rest.partition(" ")
            data = await asyncio.to_thread(lambda: Path(name).expanduser().read_bytes())
            await self._member.say(text, files={os.path.basename(name): data})
        elif line.startswith(":"):
            self._write(HELP)
        elif line:
            await self._member.say(line)

    def _answered(self, answer: Reply | Modal | None) -> None:
        """Show what the member alone sees."""
        if isinstance(answer, Modal):
            self._form = answer
            fields = " ".join(f"{name.replace(' ', '_')}={shlex.quote(text)}" for name, text in answer.fields.items())
            self._write(f"\n{answer.title} (send it with :form, some of this changed)\n  {fields}")
        elif answer is not None and answer.ephemeral:
            self._show(answer)

    async def _print(self) -> None:
        """Print every message of the bot anew when it changes."""
        places = (self._discord.general, self._member.dm)
        while True:
            found = [reply for place in places for reply in place.replies]
            for reply in found:
                if self._printed.get(reply.id) != _text(reply):
                    self._show(reply)
                    self._latest = reply
            await self._discord.server.world.until(lambda: self._is_stale(places), seconds=1e9)

    def _is_stale(self, places: Sequence[Place]) -> bool:
        return any(self._printed.get(reply.id) != _text(reply) for place in places for reply in place.replies)

    def _show(self, reply: Reply) -> None:
        self._printed[reply.id] = _text(reply)
        self._write(f"\n{_text(reply)}")
        for file in reply.attachments:
            self._write(f"  file: {self._kept(file)}")

    def _kept(self, file: Attachment) -> Path:
        path = self._folder / f"{file.id}-{os.path.basename(file.filename)}"
        path.write_bytes(file.data)
        return path


def _text(reply: Reply) -> str:
    buttons = " ".join(f"[{label}]" for label in reply.buttons)
    return "\n".join(filter(None, [f"tron> {reply.content}", f"  {buttons}" if buttons else ""]))


def _read(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str]) -> None:
    """Hand over what is typed; an empty line is a blank, the end of the input nothing."""
    for line in sys.stdin:
        asyncio.run_coroutine_threadsafe(lines.put(line.rstrip("\n") or " "), loop).result()
    asyncio.run_coroutine_threadsafe(lines.put(""), loop)
