"""The clock: leases, tokens and certificates go by it."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx
from sqlalchemy import Executable, func, select, text
from sqlalchemy.exc import DBAPIError

from tron_core.doctor.finding import Finding, Subject, fail, ok
from tron_core.setup.mysql import is_mysql
from tron_core.storage.engine import Access, make_engine, resolve_url, sqlite_file
from tron_core.storage.tables import jobs

CHECK = "clock"
APART = 30.0
"""Seconds off that do no harm; a Date header is exact to one."""
SECONDS = 5.0
FIX = "Let the machine set its clock by itself: timedatectl set-ntp true"


def clock(subject: Subject) -> Iterator[Finding]:
    """Against clocks of others where there are any, else against what this machine wrote down itself."""
    others = {name: moment for name, moment in _clocks(subject) if moment is not None}
    for name, moment in others.items():
        apart = subject.now - moment
        if abs(apart) > APART:
            yield fail(CHECK, f"this machine's clock is {_said(apart)} that of {name}", FIX)
        else:
            yield ok(CHECK, f"goes with that of {name}")
    newest = _newest_job(subject)
    if newest is not None and newest - subject.now > APART:
        yield fail(CHECK, f"the newest job is {newest - subject.now:.0f} s in the future: the clock was set back", FIX)
    elif not others:
        yield ok(CHECK, "nothing speaks against it; there was no other clock to ask")


def _said(apart: float) -> str:
    return f"{abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'}"


def _clocks(subject: Subject) -> Iterator[tuple[str, float | None]]:
    discord = subject.loaded.settings.discord
    if discord.token is not None:
        yield discord.api_url, _of_web_server(discord.api_url)
    if is_mysql(subject.database_url):
        yield "the database's server", _of_database(subject)


def _of_web_server(url: str) -> float | None:
    """By the Date header of any answer."""
    try:
        answer = httpx.get(url, timeout=SECONDS)
        return parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (httpx.HTTPError, KeyError, ValueError):
        return None


def _of_database(subject: Subject) -> float | None:
    return _ask(subject, text("SELECT UNIX_TIMESTAMP(NOW(6))"))


def _newest_job(subject: Subject) -> float | None:
    return _ask(subject, select(func.max(jobs.c.created_at)))


def _ask(subject: Subject, question: Executable) -> float | None:
    """A number from the database; None where it does not answer, of which another check speaks."""
    url = resolve_url(subject.database_url, subject.folder)
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return None
    engine = make_engine(url, Access.READ)
    try:
        with engine.connect() as connection:
            answer = connection.execute(question).scalar()
    except DBAPIError:
        return None
    finally:
        engine.dispose()
    return None if answer is None else float(answer)
