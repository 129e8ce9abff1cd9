"""``tron submit``: ask for something from the console."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tron_core.cli.context import context_of
from tron_core.cli.hub_client import Token, Url, require_hub
from tron_core.cli.output import AsJson, print_columns, print_json

if TYPE_CHECKING:
    from tron_core.cli.fields import Files
    from tron_core.cli.hub_client import HubClient
    from tron_core.frontends.server_sent import ServerSent

AWAY_SECONDS = 120.0
"""How long a hub that has gone (a restart) is waited for; the job itself waits for it anyhow."""
PAUSE = 0.5
"""Seconds between two looks for it."""
INTERRUPTED = 130


def register(cli: typer.Typer) -> None:
    """Add the command to the program."""
    settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    cli.command("submit", context_settings=settings)(submit)


def submit(
    ctx: typer.Context,
    capability: Annotated[str | None, typer.Argument(metavar="CAPABILITY [--FIELD VALUE]…")] = None,
    output: Annotated[Path, typer.Option(metavar="DIR", help="Where files are saved.")] = Path(),
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until the job is over.")] = True,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
    show_help: Annotated[
        bool, typer.Option("--help", help="Show this message; after a capability, its fields.")
    ] = False,
) -> None:
    """Submit a job, watch it, and print and save what comes of it.

    The fields are the capability's: `tron submit echo --help` shows them. Words without a flag are the text. A field
    that takes a file is given its path. A field with the name of an option of this command stands after `--`.
    Ctrl-C cancels the job. Exit status: 1 where the job did not succeed.

    Example: tron submit echo --text "hello world" --times 2
    """
    if capability is None or capability.startswith("--"):
        if show_help:
            typer.echo(ctx.get_help())
            return
        ctx.fail("say first which capability; `tron submit NAME --help` shows its fields")
    with require_hub(context_of(ctx).load(), url, token) as client:
        found = _capability(ctx, client, capability)
        if show_help:
            _print_fields(found)
            return
        job = _submit(ctx, client, found)
        if not wait:
            print_json(job) if as_json else typer.echo(job["id"])
            return
        done = _watch(client, job, as_json)
        files = _save(client, done, output) if done["state"] == "succeeded" else []
    _report(done, files, as_json)


def _capability(ctx: typer.Context, client: HubClient, name: str) -> dict[str, Any]:
    import difflib

    known: dict[str, dict[str, Any]] = {each["name"]: each for each in client.items("/capabilities")}
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there is: {', '.join(known) or 'none'}"
        ctx.fail(f"there is no capability {name!r}; {hint}")
    return known[name]


def _print_fields(capability: dict[str, Any]) -> None:
    from tron_core.cli.fields import fields_of_schema, rows_of

    typer.echo(f"{capability['name']}: {capability['command']['summary']}")
    typer.echo("" if capability["available"] else "No worker for this is connected now.\n", nl=False)
    print_columns(["FIELD", "ALLOWED", "DEFAULT", "HELP"], rows_of(fields_of_schema(capability["schema"])))
    for name, values in capability["choices"].items():
        typer.echo(f"now for --{name.replace('_', '-')}: {', '.join(values)}")


def _submit(ctx: typer.Context, client: HubClient, capability: dict[str, Any]) -> dict[str, Any]:
    """Read the fields, upload the files, submit; a field that is wrong is an error of usage."""
    from tron_core.cli.fields import fields_of_schema, read_words, require_all
    from tron_core.errors import InvalidParams, TronError

    fields = fields_of_schema(capability["schema"])
    uploaded: dict[str, Path] = {}
    try:
        params, files = read_words(ctx.args, fields)
        here = [(each.field, _found(each)) for each in files]
        require_all([*params, *(field.name for field, _ in here)], fields)
        for field, found in here:  # only now that all of them are there
            ids = [_upload(client, file, uploaded) if isinstance(file, Path) else file for file in found]
            params[field.name] = ids if field.many else ids[0]
        return post_job(client, capability["name"], params)
    except TronError as error:
        if error.code == InvalidParams.code:
            ctx.fail(_naming_files(error.message, uploaded))
        raise


def _upload(client: HubClient, file: Path, uploaded: dict[str, Path]) -> str:
    artifact: str = client.upload(file)["id"]
    uploaded[artifact] = file
    return artifact


def _naming_files(sentence: str, uploaded: Mapping[str, Path]) -> str:
    """``sentence`` with the files as they were given: whoever gave a path has not seen the upload's id."""
    for artifact, file in uploaded.items():
        sentence = sentence.replace(artifact, str(file))
    return sentence


def _found(files: Files) -> list[Path | str]:
    from tron_core.cli.fields import file_of

    return [file_of(files.field, given) or given for given in files.given]


def post_job(client: HubClient, capability: str, params: dict[str, Any]) -> dict[str, Any]:
    """Submit a job, once: where the answer is lost on the way, the same request is sent again under the same key."""
    import uuid

    from tron_core.cli.hub_client import HubAway

    headers = {"Idempotency-Key": uuid.uuid4().hex}
    body = {"capability": capability, "params": params}
    try:
        job: dict[str, Any] = client.post("/jobs", body, headers=headers)
    except HubAway:
        job = client.post("/jobs", body, headers=headers)
    return job


def _watch(client: HubClient, job: dict[str, Any], as_json: bool) -> dict[str, Any]:
    from tron_core.frontends.console import TextStream, follow, open_view

    view = open_view(job["capability"])
    text = None if as_json else TextStream(sys.stdout)
    try:
        done = follow(watch(client, job["id"], view.status), view, text)
    except KeyboardInterrupt:
        view.end()
        client.delete(f"/jobs/{job['id']}")
        typer.echo(f"job {job['id']} is cancelled", err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        view.end()
    if done is None:
        raise RuntimeError("watch ends with the result")
    if text is not None and done["state"] == "succeeded":
        text.finish((done["reply"] or {}).get("text", ""))
    return done


def watch(client: HubClient, job: str, status: Callable[[str], None]) -> Iterator[ServerSent]:
    """The events of a job to its result, over restarts of the hub; raises HubAway where it stays away."""
    from tron_core.cli.hub_client import HubAway

    away_since: float | None = None
    while True:
        try:
            for event in client.events(job):
                away_since = None
                yield event
                if event.name == "result":
                    return
        except HubAway as error:
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > AWAY_SECONDS:
                raise HubAway(f"{error.message}; the job goes on: `tron jobs show {job}`") from error
        status("the hub is away; waiting for it")
        time.sleep(PAUSE)


def _save(client: HubClient, job: dict[str, Any], folder: Path) -> list[str]:
    from tron_core.frontends.console import file_name, results, save

    found = results(job)
    if found:
        folder.mkdir(parents=True, exist_ok=True)
    return [str(save(artifact, folder / file_name(job, artifact), client.download)) for artifact in found]


def _report(job: dict[str, Any], files: list[str], as_json: bool) -> None:
    if as_json:
        print_json({**job, "files": files})
    else:
        for file in files:
            typer.echo(file)
    if job["state"] != "succeeded":
        typer.echo(f"error: {why(job)}", err=True)
        raise typer.Exit(1)


def why(job: dict[str, Any]) -> str:
    """Why a job that is over did not succeed."""
    return str(job["error"]["message"]) if job["error"] else f"the job is {job['state']}"
