"""A client of discord-tron-master, written from the description of its protocol, with its habits: it does nothing else
while it uploads, acknowledges a job before it can do it, comes back without a pause, and takes status 200 alone for
success. It runs on an event loop, and in a thread, of its own."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

Json = dict[str, Any]
DEADLINE = 20.0
TYPES = {
    "llama": False,
    "stablelm": False,
    "stablevicuna": False,
    "tts_bark": False,
    "ollama": False,
    "memory": True,
    "compute": True,
}
"""What every client announces; ``gpu`` and ``variation`` only where they are done."""


def png(shade: int = 0) -> bytes:
    """A picture of one pixel."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes([0, shade])))
        + chunk(b"IEND", b"")
    )


def wav(seconds: float = 0.5) -> bytes:
    """Silence, 24000 samples a second of 16 bits."""
    data = bytes(2 * int(24000 * seconds))
    form = struct.pack("<IHHIIHH", 16, 1, 1, 24000, 48000, 2, 16)
    body = b"WAVEfmt " + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


class OldClient:
    """One process of a client. A test sets what it does: ``fail`` (how often a job type ends in failure), ``mute`` (how
    often without a result), ``pictures``, ``gate`` (an event that handlers wait for after they began),
    ``uploaded`` (one that the upload ends with), ``metadata``."""

    def __init__(
        self,
        hub: str,
        rest: str,
        ticket: Json,
        api_key: str,
        *,
        worker_id: str = "box-1",
        offers: tuple[str, ...] = ("gpu",),
        acknowledges: bool = True,
        tls: Any = None,
    ) -> None:
        self.hub, self.rest, self.ticket, self.api_key = hub, rest, ticket, api_key
        self.worker_id = worker_id
        self.offers = offers
        self.acknowledges = acknowledges
        self.fail: Counter[str] = Counter()
        self.mute: Counter[str] = Counter()
        self.pictures = 1
        self.metadata: dict[str, str] = {"seed": "7", "user_config": "{}"}
        self.gate: threading.Event | None = None
        self.before_show: Callable[[Json], list[Json]] = lambda job: []
        self.uploaded: threading.Event | None = None
        self.jobs: list[Json] = []
        self.done: Counter[str] = Counter()
        self.replies: list[Json] = []
        self.urls: list[str] = []
        self.refusals: list[tuple[int, str]] = []
        self.connects = 0
        self.attempts = 0
        self.dead: str | None = None
        self._tls = tls
        self._socket: ClientConnection | None = None
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._main, daemon=True)

    # The process

    def start(self) -> OldClient:
        self._thread.start()
        return self

    def kill(self) -> None:
        """The process ends, without a word."""
        self._stopping = True
        if self.gate is not None:
            self.gate.set()
        loop = self._loop
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._cut)
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()

    def drop(self) -> None:
        """The connection breaks."""
        self._loop.call_soon_threadsafe(self._cut)

    def say(self, message: Json) -> None:
        """Send any message."""
        asyncio.run_coroutine_threadsafe(self._send(message), self._loop).result(DEADLINE)

    def _cut(self) -> None:
        if self._socket is not None:
            self._socket.transport.abort()
        if self._stopping:
            for task in asyncio.all_tasks(self._loop):
                task.cancel()

    def _main(self) -> None:
        self._loop = asyncio.new_event_loop()
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._live())
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                self._loop.run_until_complete(task)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _live(self) -> None:
        self._gpu, self._others = asyncio.Semaphore(1), asyncio.Semaphore(1)
        while not self._stopping:
            self.attempts += 1
            try:
                headers = {"Authorization": f"Bearer {self._fresh_ticket()['access_token']}"}
                async with connect(
                    self.hub,
                    additional_headers=headers,
                    user_agent_header="Python/3.11 websockets/10.4",
                    max_size=33_554_432,
                    ping_interval=2,
                    ping_timeout=60,
                    open_timeout=60,
                    ssl=self._tls,
                ) as socket:
                    self._socket = socket
                    self.connects += 1
                    await self._talk(socket)
            except ConnectionClosed as closed:
                if closed.rcvd is not None and "already registered" in closed.rcvd.reason:
                    self.dead = closed.rcvd.reason
                    return
            except Exception as error:
                if not self.connects:
                    self.dead = repr(error)
                    return

    async def _talk(self, socket: ClientConnection) -> None:
        await self._send(self._registration)
        facts = {"gpu_type": "RTX", "cpu_type": "Xeon", "cpu_count": 16, "memory_amount": 62}
        await self._send(_message("hardware_info", "system", "update", {}, facts | {"disk_space_total": None}))
        async for text in socket:
            payload = json.loads(text)
            assert isinstance(payload, dict), "the read loop of a client crashes on anything else"
            if "job_type" not in payload or not payload.get("job_id"):
                self.replies.append(payload)
                continue
            self.jobs.append(payload)
            if self.acknowledges:
                await self._send(self._about("acknowledge", payload))
            task = asyncio.get_running_loop().create_task(self._do(payload))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    @cached_property
    def _registration(self) -> Json:
        """Built once, and sent again after each reconnect."""
        types = {**TYPES, **dict.fromkeys(self.offers, True)}
        arguments = {
            "supported_job_types": types,
            "hardware_limits": {"gpu": 24.0, "memory": 62, "cpu": 16},
            "worker_id": self.worker_id,
            "hardware": {
                "gpu": "RTX",
                "cpu": "Xeon",
                "cpu_count": 16,
                "memory_amount": 62,
                "video_memory_amount": 24.0,
            },
            "available_resolutions": [{"width": 1024, "height": 1024}],
        }
        return _message("hello_world", "worker", "register", {}, arguments)

    # Tickets

    def _fresh_ticket(self) -> Json:
        issued = datetime.fromisoformat(self.ticket["issued_at"])
        now = datetime.now(issued.tzinfo)
        if now < issued + timedelta(seconds=self.ticket["expires_in"] / 2):
            return self.ticket
        answer = self._post("/authorize", json={"api_key": self.api_key, "client_id": self.ticket["client_id"]})
        if answer.status_code == 200:
            self.ticket = answer.json()["access_token"]
            return self.ticket
        answer = self._post("/refresh_token", json={"refresh_token": self.ticket["refresh_token"]})
        if answer.status_code != 200:
            raise RuntimeError("no ticket")
        self.ticket = answer.json()
        return self.ticket

    def _post(self, path: str, **options: Any) -> httpx.Response:
        return httpx.post(self.rest + path, timeout=60, verify=self._tls or True, **options)

    def upload(self, path: str, part: str, data: bytes, filename: str, key: str, **query: str) -> str | None:
        """The address of an uploaded file, None where it was refused."""
        headers = {"Authorization": f"Bearer {self._fresh_ticket()['access_token']}"}
        answer = self._post(path, params=query, headers=headers, files={part: (filename, data)})
        if answer.status_code != 200:
            self.refusals.append((answer.status_code, answer.text))
            return None
        self.urls.append(answer.json()[key])
        return self.urls[-1]

    # Jobs

    async def _do(self, job: Json) -> None:
        async with self._gpu if job["job_type"] in ("gpu", "ollama") else self._others:
            try:
                await self._handlers()[job["module_name"], job["module_command"]](job)
            except ConnectionClosed:
                pass  # that message is lost
            await self._safely(self._about("finish", job))
            self.done[job["job_id"]] += 1

    def _handlers(self) -> dict[tuple[str, str], Callable[[Json], Awaitable[None]]]:
        return {
            ("image_generation", "generate_image"): self._picture,
            ("image_variation", "promptless_variation"): self._variation,
            ("llama", "predict"): self._text,
            ("stablelm", "predict"): self._text,
            ("stablevicuna", "predict"): self._text,
            ("tts_bark", "generate"): self._speech,
            ("ollama", "complete"): self._ollama,
        }

    @staticmethod
    def _counts(times: Counter[str], job: Json) -> bool:
        """Whether it is to be so once more, for jobs of this type."""
        times[job["job_type"]] -= 1
        return times[job["job_type"]] >= 0

    async def _wait(self) -> None:
        if self.gate is not None:
            await asyncio.to_thread(self.gate.wait)

    async def _picture(self, job: Json) -> None:
        first, context = job["discord_first_message"], job["discord_context"]
        await self._discord("edit", first, message="Your request is being processed …")
        await self._discord("delete", context)
        await self._wait()
        if self._counts(self.mute, job):
            return
        if self._counts(self.fail, job):
            await self._discord("delete_errors", context)
            text = "It seems we had an error while generating this image!\n```CUDA out of memory\n```"
            await self._discord("edit", first, message=text)
            await self._discord("delete", context)
            return
        for percent in (0, 30, 60, 90):
            bar = "█" * (percent // 5) + "-" * (20 - percent // 5)
            await self._discord("edit", first, message=f"`{bar}` {percent}% complete!")
        await self._discord("delete", first)
        with ThreadPoolExecutor(4) as pool:  # the loop stands still until all are through
            uploads = [
                pool.submit(self.upload, "/upload_image", "image", png(shade), "image", "image_url", **self.metadata)
                for shade in range(self.pictures)
            ]
            urls = [upload.result() for upload in uploads]
        if self.uploaded is not None:
            self.uploaded.wait(DEADLINE)
        await self._open_socket()
        await self._discord("delete", first)
        for message in self.before_show(job):
            await self._send(message)
        await self._discord(
            "create_thread",
            first,
            name=f"{job['image_prompt'][:26]}...",
            message=f"<@{context['author']['id']}>\n**Prompt**: {job['image_prompt']}",
            image_url_list=urls,
            image_prompt=f"{job['image_prompt']} ",
            image_model=job.get("config", {}).get("model"),
            user_id=context["author"]["id"],
        )

    async def _open_socket(self) -> None:
        """The handler of pictures, and no other, waits up to 10 s for a connection."""
        for _ in range(200):
            await asyncio.sleep(0.05)  # it notices only now what became of its connection meanwhile
            if self._socket is not None and self._socket.state is State.OPEN:
                return

    async def _variation(self, job: Json) -> None:
        first = job["discord_first_message"]
        await self._discord("edit", first, message="Your request is being processed …")
        await self._wait()
        await self._discord("send", first, message="Here", image=base64.b64encode(png()).decode())

    async def _text(self, job: Json) -> None:
        first, context = job["discord_first_message"], job["discord_context"]
        await self._discord("edit", first, message="Thinking!")
        await self._wait()
        if self._counts(self.fail, job):
            await self._discord("edit", first, message="We pooped the bed!")
            return
        newline = "" if job["job_type"] == "llama" else "\n"
        answer = f"<@{context['author']['id']}>: `{job['prompt']}`{newline}It is `blue`."
        await self._discord("send_large_message", first, message=answer)
        await self._discord("send", first, message="7 tokens in 2 seconds")
        await self._discord("delete", first)
        await self._discord("delete", context)

    async def _speech(self, job: Json) -> None:
        first, context = job["discord_first_message"], job["discord_context"]
        await self._discord("edit", first, message="Speaking …")
        await self._wait()
        if self._counts(self.fail, job):
            text = "We pooped the bed when generating your audio!\nno such voice"
            await self._discord("edit", first, message=text)
            return
        url = self.upload("/upload_audio", "audio_buffer", wav(), "audio_buffer.wav", "audio_url")
        data = base64.b64encode(b"ID3" + bytes(100)).decode()
        await self._discord("send", first, message="Said", audio_url=url, audio_data=data)
        await self._discord("delete", first)
        await self._discord("delete", context)

    async def _ollama(self, job: Json) -> None:
        await self._wait()
        failed = self._counts(self.fail, job)
        data = {
            "request_id": job["request_id"],
            "ok": not failed,
            "text": "" if failed else "pong",
            "detail": "no such model" if failed else "",
            "worker_id": self.worker_id,
        }
        arguments = {"worker_id": self.worker_id, "job_id": job["job_id"], "request_id": job["request_id"]}
        await self._send(_message("ollama_result", "ollama", "complete_result", data, arguments))

    # Messages

    def _about(self, command: str, job: Json) -> Json:
        return _message("job", "job_queue", command, {}, {"job_id": job["job_id"], "worker_id": self.worker_id})

    async def _discord(self, command: str, data: Json, **arguments: Any) -> None:
        await self._send(_message("discord", "message", command, data, arguments))

    async def _safely(self, message: Json) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._send(message)

    async def _send(self, message: Json) -> None:
        assert self._socket is not None
        await self._socket.send(json.dumps(message))


def _message(kind: str, module: str, command: str, data: Json, arguments: Json) -> Json:
    return {
        "message_type": kind,
        "module_name": module,
        "module_command": command,
        "timestamp": time.time(),
        "data": data,
        "arguments": arguments,
        "base_arguments": arguments,
    }
