"""``tron jobs``: what was asked for, and what became of it."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tron_core.cli.administration import administration
from tron_core.cli.context import context_of
from tron_core.cli.hub_client import Token, Url, require_hub
from tron_core.cli.output import AsJson, print_columns, print_json

jobs = typer.Typer(
    no_args_is_help=True, help="Jobs: list, show, cancel, try again.\n\nExample: tron jobs list --state queued"
)

JobId = Annotated[str, typer.Argument(metavar="ID", help="An id from `tron jobs list`.")]


class StateName(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


def register(cli: typer.Typer) -> None:
    """Add the group to the program."""
    cli.add_typer(jobs, name="jobs")


@jobs.command("list")
def list_(
    ctx: typer.Context,
    state: Annotated[list[StateName] | None, typer.Option(help="Of this state; may be repeated.")] = None,
    capability: Annotated[str | None, typer.Option(help="Of this capability.")] = None,
    requester: Annotated[str | None, typer.Option(help="Asked for by this one, as in discord:1234.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show jobs, newest first.

    Example: tron jobs list --state queued --state running
    """
    with administration(context_of(ctx), url, token) as admin:
        found = admin.jobs([each.value for each in state or ()], capability, requester, limit)
    if as_json:
        print_json(found)
    else:
        rows = (
            [each["id"], each["capability"], each["state"], each["requester"], each["created_at"]] for each in found
        )
        print_columns(["ID", "CAPABILITY", "STATE", "REQUESTER", "CREATED"], rows)


@jobs.command()
def show(ctx: typer.Context, job_id: JobId, as_json: AsJson = False, url: Url = None, token: Token = None) -> None:
    """Show a job: its params, its attempts, its reply and files.

    Example: tron jobs show 01JZ8QW2Y3V5M9K7N4T6B1C0DF --json
    """
    with administration(context_of(ctx), url, token) as admin:
        job = admin.job(job_id)
    if as_json:
        print_json(job)
    else:
        print_columns(["KEY", "VALUE"], _rows(job))


@jobs.command()
def cancel(ctx: typer.Context, job_id: JobId, as_json: AsJson = False, url: Url = None, token: Token = None) -> None:
    """Cancel a job that waits or runs.

    Example: tron jobs cancel 01JZ8QW2Y3V5M9K7N4T6B1C0DF
    """
    with administration(context_of(ctx), url, token) as admin:
        job = admin.cancel(job_id)
    if as_json:
        print_json(job)
    else:
        typer.echo(f"{job_id} is cancelled")


@jobs.command()
def retry(ctx: typer.Context, job_id: JobId, as_json: AsJson = False, url: Url = None, token: Token = None) -> None:
    """Put a failed job back into the queue. A hub must run: it knows what the job needs.

    Example: tron jobs retry 01JZ8QW2Y3V5M9K7N4T6B1C0DF
    """
    with require_hub(context_of(ctx).load(), url, token) as client:
        job = client.post(f"/jobs/{quote(job_id, safe='')}/retry")
    if as_json:
        print_json(job)
    else:
        typer.echo(f"{job_id} is in the queue again")


def _rows(job: dict[str, Any]) -> list[list[str | None]]:
    plain = ("id", "capability", "state", "requester", "priority", "created_at", "started_at", "finished_at", "message")
    rows: list[list[str | None]] = [[key, job[key]] for key in plain if job[key] is not None]
    rows += [[f"params.{key}", json.dumps(value, ensure_ascii=False)] for key, value in job["params"].items()]
    if job["position"] is not None:
        rows.append(["position", str(job["position"])])
    for attempt in job["attempts"]:
        outcome = attempt["outcome"] or "running"
        reason = f": {attempt['reason']}" if attempt["reason"] else ""
        rows.append([f"attempt {attempt['number']}", f"{attempt['worker']}, {outcome}{reason}"])
    if job["error"] is not None:
        rows.append(["error", f"{job['error']['message']} ({job['error']['code']})"])
    elif job["reply"] is not None:
        rows.append(["reply", job["reply"]["text"]])
    return rows + [[each["role"], each["url"]] for each in job["artifacts"]]
