"""How the hub's log is written: on standard error, for people or as one JSON object a line."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tron_core.config import LoggingSettings

NOISY = ("alembic", "asyncio", "httpcore", "httpx", "uvicorn", "websockets")
"""Loggers of libraries, which are heard from ``warning`` on unless the level is ``debug``."""


class PlainFormatter(logging.Formatter):
    """``2025-07-01T12:00:00Z INFO tron_core.app: database upgraded (plugin=echo)``"""

    converter = staticmethod(time.gmtime)
    default_msec_format = ""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        plugin = getattr(record, "plugin", None)
        return super().formatMessage(record) + (f" (plugin={plugin})" if plugin else "")


def configure(settings: LoggingSettings) -> None:
    """Write the log as ``[logging]`` says."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json() if settings.format == "json" else PlainFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.NOTSET if settings.level == "debug" else logging.WARNING)
    logging.captureWarnings(True)


def _json() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    names = {"asctime": "time", "levelname": "level", "name": "logger"}
    return JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S%z", rename_fields=names)
