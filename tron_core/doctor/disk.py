"""The disk: whether there is room, and whether the hub may write."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tron_core.doctor.finding import Finding, Subject, fail, ok, warn
from tron_core.storage.engine import resolve_url, sqlite_file

CHECK = "disk"
GIB = 2**30
LITTLE, NOTHING = 5 * GIB, GIB // 4


def disk(subject: Subject) -> Iterator[Finding]:
    """The folders of the configuration, the database and the artifacts, each disk once."""
    devices: dict[int, Path] = {}
    for place in _places(subject):
        folder = _nearest(place)
        refused = _refusal(folder)
        if refused is not None:
            yield fail(CHECK, f"{folder}: cannot be written: {refused}", f"chown -R the hub's user {folder}")
        devices.setdefault(folder.stat().st_dev, folder)
    for folder in devices.values():
        yield _room(folder)


def _places(subject: Subject) -> list[Path]:
    """What need not be there yet is made by the hub."""
    places = [subject.folder]
    database = sqlite_file(resolve_url(subject.database_url, subject.folder))
    if database is not None:
        places.append(database.parent)
    scheme, _, path = subject.loaded.settings.artifacts.url.partition(":")
    if scheme == "file":
        places.append(subject.folder / path)
    return list(dict.fromkeys(places))


def _nearest(place: Path) -> Path:
    return next(folder for folder in (place, *place.absolute().parents) if folder.is_dir())


def _refusal(folder: Path) -> str | None:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"a hub may write here")
    except OSError as error:
        return error.strerror
    return None


def _room(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    sentence = f"{folder}: {free / GIB:.1f} GiB are free"
    fix = "Make room, or let the oldest artifacts go: artifacts.max_bytes, artifacts.keep_days"
    if free < NOTHING:
        return fail(CHECK, f"{sentence}; the hub will soon not be able to store anything", fix)
    return warn(CHECK, sentence, fix) if free < LITTLE else ok(CHECK, sentence)
