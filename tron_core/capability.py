"""What a plugin declares: a capability with its command, its params and its result handler."""

from __future__ import annotations

import enum
import functools
import json
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticUndefined, core_schema

from tron_core.errors import InvalidParams
from tron_core.job import Job, Result, Role

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tron_core.api import App
    from tron_core.worker.context import ExecutionContext

MAX_INT = 2**53 - 1
"""The largest int that JSON readers everywhere keep exact (RFC 8259, section 6)."""

MAX_PROMPT = 8000
"""Characters of a Prompt field, unless its declaration says otherwise."""

MAX_FILES = 4
"""Attachments in one list field."""

ATTACHMENT_PATTERN = r"^[A-Za-z0-9_-]{1,128}$"
"""The id of an upload or artifact; by it, a field that takes files is known in a JSON Schema."""


class Attachment(str):
    """The id of an upload or artifact. As a field's type it makes the field a file input."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(pattern=ATTACHMENT_PATTERN))


def Prompt(help: str, *, max_length: int = MAX_PROMPT, default: Any = ...) -> Any:
    """The field that takes the text of a command; at most one in a Params class. ``max_length`` in characters."""
    extra: Any = {"x-tron": {"kind": "prompt"}}
    limits: dict[str, Any] = {"max_length": max_length}
    if default is ...:
        limits["min_length"] = 1
    return pydantic.Field(default, description=help, json_schema_extra=extra, **limits)


def Setting(
    default: Any = ...,
    *,
    help: str = "",
    ge: float | None = None,
    le: float | None = None,
    multiple_of: float | None = None,
    max_length: int | None = None,
    pattern: str | None = None,
    group: str | None = None,
    slash: bool = True,
    saved: bool = True,
    derived: bool = False,
) -> Any:
    """An option of the command. People can save it as their own default (``saved=False``: they cannot).

    ``group``: fields of one name and group are one setting shared by several capabilities. ``slash=False`` keeps the
    field out of the slash command, which has room for 25 options. ``derived``: nobody is asked for it, as the plugin
    sets it for each request, whatever was given (``tron_job_submitting``).
    """
    spec: dict[str, Any] = {"kind": "setting", "slash": slash and not derived, "saved": saved and not derived}
    if derived:
        spec["derived"] = True
    if group is not None:
        spec["group"] = group
    limits = {
        "ge": ge,
        "le": le,
        "multiple_of": multiple_of,
        "max_length": max_length,
        "pattern": pattern,
    }
    given: dict[str, Any] = {name: limit for name, limit in limits.items() if limit is not None}
    extra: Any = {"x-tron": spec}
    return pydantic.Field(default, description=help, json_schema_extra=extra, **given)


def Input(help: str = "", *, accept: str = "*/*", default: Any = ...) -> Any:
    """A field that takes files (type ``Attachment`` or ``list[Attachment]``). ``accept`` is a media type or range,
    several separated by commas: ``image/*``."""
    extra: Any = {"x-tron": {"kind": "input", "accept": accept}}
    return pydantic.Field(default, description=help, json_schema_extra=extra)


FieldType = Literal["str", "int", "float", "bool", "choice", "attachment", "attachments"]


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a Params class, as the frontends need it. ``choices`` are the fixed ones of an Enum or Literal."""

    name: str
    kind: Literal["prompt", "setting", "input"]
    type: FieldType
    help: str
    required: bool
    default: Any = None
    optional: bool = False
    choices: tuple[str, ...] = ()
    ge: float | None = None
    le: float | None = None
    group: str | None = None
    slash: bool = True
    saved: bool = True
    derived: bool = False
    accept: str = "*/*"


class Params(BaseModel):
    """The base of every capability's params: unknown fields are errors, instances do not change.

    A field is a str, int (within ±2^53), float, bool, Enum, Literal, Attachment or list[Attachment], each
    ``| None`` where it may be left out. Anything else raises TypeError when the class is made, and so does a default
    that the field does not allow.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False, allow_inf_nan=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if sum(spec.kind == "prompt" for spec in fields_of(cls)) > 1:
            raise TypeError(f"{cls.__name__} has more than one Prompt field; a command has one text")
        for name, info in cls.model_fields.items():
            _check_default(f"{cls.__name__}.{name}", info)

    @pydantic.field_validator("*", mode="after")
    @classmethod
    def _within_json_integers(cls, value: Any) -> Any:
        if isinstance(value, int) and abs(value) > MAX_INT:
            raise ValueError(f"must be within ±{MAX_INT}")
        if isinstance(value, list) and len(value) > MAX_FILES:
            raise ValueError(f"at most {MAX_FILES} files")
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        schema = handler(core)
        for declared in handler.resolve_ref_schema(schema).get("properties", {}).values():
            for part in (declared, *declared.get("anyOf", ())):
                if part.get("type") == "integer" and "enum" not in part:
                    part.setdefault("minimum", -MAX_INT)
                    part.setdefault("maximum", MAX_INT)
                elif part.get("type") == "array":
                    part["maxItems"] = MAX_FILES
        return schema


@functools.cache  # it is asked for every message and every card
def fields_of(params: type[Params]) -> tuple[FieldSpec, ...]:
    """The fields of a Params class in the order of their declaration.

    Raises TypeError for a field type that the frontends cannot show.
    """
    return tuple(_describe(params, name, info) for name, info in params.model_fields.items())


def offered_fields(params: type[Params]) -> tuple[FieldSpec, ...]:
    """Those that people may give."""
    return tuple(spec for spec in fields_of(params) if not spec.derived)


def _describe(params: type[Params], name: str, info: pydantic.fields.FieldInfo) -> FieldSpec:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    declared: dict[str, Any] = dict(typing.cast("dict[str, Any]", extra.get("x-tron", {})))
    type_name, choices, optional = _field_type(params, name, info.annotation)
    kind = declared.pop("kind", "setting")
    if type_name in ("attachment", "attachments"):
        kind = "input"
    limits = {
        limit: getattr(item, limit)
        for item in info.metadata
        for limit in ("ge", "le")
        if getattr(item, limit, None) is not None
    }
    default = None if info.default is PydanticUndefined else info.default
    if isinstance(default, enum.Enum):
        default = default.value
    return FieldSpec(
        name=name,
        kind=kind,
        type=type_name,
        help=info.description or "",
        required=info.is_required(),
        default=default,
        optional=optional,
        choices=choices,
        **limits,
        **declared,
    )


def _check_default(field: str, info: pydantic.fields.FieldInfo) -> None:
    if info.default is PydanticUndefined:
        return
    allowed: Any = info.annotation
    if info.metadata:
        allowed = typing.Annotated[allowed, *info.metadata]
    try:
        pydantic.TypeAdapter(allowed).validate_python(info.default)
    except pydantic.ValidationError as error:
        sentence = _decapitalize(error.errors(include_url=False)[0]["msg"])
        raise TypeError(f"{field}: its default {info.default!r} is not allowed: {sentence}") from None


def _field_type(params: type[Params], name: str, annotation: Any) -> tuple[FieldType, tuple[str, ...], bool]:
    annotation, optional = _without_none(annotation)
    if annotation is Attachment:
        return "attachment", (), optional
    if typing.get_origin(annotation) is list and typing.get_args(annotation) == (Attachment,):
        return "attachments", (), optional
    if members := _members(annotation):
        return "choice", tuple(members), optional
    plain: dict[Any, FieldType] = {str: "str", int: "int", float: "float", bool: "bool"}
    if annotation in plain:
        return plain[annotation], (), optional
    raise TypeError(
        f"{params.__name__}.{name} is {annotation!r}; a field is str, int, float, bool, an Enum or Literal, "
        "Attachment or list[Attachment], each possibly '| None'"
    )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """``X | None`` as ``(X, True)``, anything else as it is."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return annotation, False
    inner = [part for part in typing.get_args(annotation) if part is not type(None)]
    optional = len(inner) < len(typing.get_args(annotation))
    return (inner[0] if len(inner) == 1 else annotation), optional


def _members(annotation: Any) -> Mapping[str, Any]:
    """The values of an Enum or Literal by the text that people type; empty for any other type."""
    if typing.get_origin(annotation) is Literal:
        return {str(choice): choice for choice in typing.get_args(annotation)}
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return {str(member.value): member for member in annotation}
    return {}


def _from_text(params: type[Params], values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with the text of each Enum or Literal field replaced by the member that it names."""
    converted = dict(values)
    for name, info in params.model_fields.items():
        text = converted.get(name)
        if isinstance(text, str):
            converted[name] = _members(_without_none(info.annotation)[0]).get(text, text)
    return converted


def parse_params(params: type[Params], values: Mapping[str, Any], *, lenient: bool = False) -> Params:
    """Validate ``values``. Strict (the default) takes JSON as it is: no ``"30"`` for an int, no ``1`` for a bool.

    Raises InvalidParams, which names every wrong field, its value and what is allowed.
    """
    try:
        if lenient:
            return params.model_validate(_from_text(params, values))
        return params.model_validate_json(json.dumps(dict(values)), strict=True)
    except pydantic.ValidationError as error:
        raise _invalid(params, values, error) from None
    except (TypeError, ValueError) as error:
        raise InvalidParams(f"The params are not JSON: {error}") from None


def _invalid(params: type[Params], values: Mapping[str, Any], error: pydantic.ValidationError) -> InvalidParams:
    specs = {spec.name: spec for spec in fields_of(params)}
    problems = []
    items = error.errors(include_url=False, include_context=False)
    for item in items:
        name = str(item["loc"][0]) if item["loc"] else ""
        spec = specs.get(name)
        allowed = allowed_values(spec) if spec else "one of " + ", ".join(specs)
        message = "there is no such field" if item["type"] == "extra_forbidden" else item["msg"]
        problems.append(
            {"field": name, "value": values.get(name), "message": _decapitalize(message), "allowed": allowed}
        )
    first = problems[0]
    shown = "" if first["value"] is None else f" ({_short(first['value'])})"
    sentence = f"{first['field'] or 'params'}{shown}: {first['message']}"
    if items[0]["type"] != "value_error":  # a validator of the plugin's own says itself what is allowed
        sentence += f"; allowed: {first['allowed']}"
    return InvalidParams(sentence, details={"errors": problems})


def _decapitalize(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _short(value: Any, limit: int = 60) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def allowed_values(spec: FieldSpec) -> str:
    """What a field may be, in words for an error message or a help text."""
    if spec.type == "choice":
        return ", ".join(spec.choices)
    words = {
        "str": "a text",
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "attachment": f"the id of an upload or artifact ({spec.accept})",
        "attachments": f"the ids of at most {MAX_FILES} uploads or artifacts ({spec.accept})",
    }[spec.type]
    if spec.ge is not None and spec.le is not None:
        return f"{words} from {spec.ge:.16g} to {spec.le:.16g}"
    if spec.ge is not None:
        return f"{words} of at least {spec.ge:.16g}"
    if spec.le is not None:
        return f"{words} of at most {spec.le:.16g}"
    return words


@dataclass(frozen=True, slots=True)
class Command:
    """The name people type. ``flags="leading"`` reads flags only before the text; ``split_lines`` makes each line of
    a prefix command a job of its own. ``example`` is what help shows after the name. ``menu`` is an entry in the
    context menu of Discord's messages: it asks with the files of that message (``Enlarge``)."""

    name: str
    aliases: Sequence[str] = ()
    summary: str = ""
    flags: Literal["anywhere", "leading"] = "anywhere"
    split_lines: bool = False
    example: str = ""
    menu: str = ""

    def __post_init__(self) -> None:
        for name in (self.name, *self.aliases):
            if not (0 < len(name) <= 32) or name != name.lower() or any(c.isspace() for c in name):
                raise ValueError(f"a command is 1 to 32 lower-case characters without spaces, not {name!r}")
        if len(self.menu) > 32:
            raise ValueError(f"an entry of a context menu has at most 32 characters, unlike {self.menu!r}")


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a worker must have for a job; jobs of equal requirements wait in one class.

    ``model``: among the models that the worker announced for the capability. ``gpu_memory_mb``, ``memory_mb``: at
    least so much (MiB). ``choices``: for each field, a value that the worker announced. ``compatible``: the same, but
    a worker that announced nothing for the field will do.
    """

    model: str | None = None
    gpu_memory_mb: int = 0
    memory_mb: int = 0
    choices: tuple[tuple[str, str], ...] = ()
    compatible: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Asker:
    """Who is typing, for autocompletion, or asked for the job that runs. ``requester_name``: as in Job."""

    requester: str
    guild: str | None = None
    channel: str | None = None
    roles: frozenset[str] = frozenset()
    requester_name: str | None = None


@dataclass(frozen=True, slots=True)
class Demo:
    """Example params that show the capability: run by ``tron demo``, printed in the docs, tried by
    ``tron plugins check``. ``inputs`` are the files of attachment fields, by field name; ``config`` is what the
    plugin's own section must say for it, where its defaults will not do."""

    params: Mapping[str, Any]
    inputs: Mapping[str, Path] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Action:
    """A follow-up offered on a reply: a capability plus filled-in params."""

    label: str
    capability: str
    params: Mapping[str, Any]
    emoji: str | None = None
    owner_only: bool = False


@dataclass(frozen=True, slots=True)
class VoiceMessage:
    """An artifact of the result, by its name, that is somebody speaking: where a frontend can, it is shown as a voice
    message, elsewhere as the file that it is. ``waveform`` is base64 of how loud it is, a byte for each tenth of a
    second, at most 256 in all."""

    artifact: str
    seconds: float
    waveform: str


@dataclass(slots=True)
class Reply:
    """What a person is shown, the same for every frontend.

    ``artifacts`` are the names of the result's artifacts to show, None for all of role ``result``; ``voice`` is one of
    them that may be a voice message. ``writes`` is called with a Connection inside the transaction that stores the
    reply; it may run again.
    """

    text: str = ""
    artifacts: Sequence[str] | None = None
    actions: Sequence[Action] = ()
    voice: VoiceMessage | None = None
    writes: Callable[[Connection], None] | None = None


class Capability:
    """One thing that can be asked for. Subclass it, fill in ``name``, ``command`` and ``params``, and return an
    instance from ``tron_register_capabilities``. Every method has a sensible default.

    ``runs_on = "hub"``: there is no worker half; ``run`` is awaited in the hub, ``concurrency`` at a time.
    """

    name: ClassVar[str]
    command: ClassVar[Command]
    params: ClassVar[type[Params]]
    runs_on: ClassVar[Literal["worker", "hub"]] = "worker"
    concurrency: ClassVar[int] = 16
    app: App
    """Set by the core before start-up."""

    def parse(self, values: Mapping[str, Any], *, lenient: bool = False) -> Any:
        """``values`` as this capability's Params; raises InvalidParams."""
        return parse_params(self.params, values, lenient=lenient)

    def requirements(self, params: Any) -> Requirements:
        """What a worker must have for these params. The default asks for the field ``model``, if there is one and
        it is set."""
        model = getattr(params, "model", None)
        return Requirements(model=model or None)

    def expected_seconds(self, params: Any) -> float:
        """A first guess of the seconds of work, before any was measured."""
        return 10.0

    def deadline(self, params: Any) -> float:
        """Seconds after which a running attempt is cancelled and the job fails."""
        return max(300.0, 20 * self.expected_seconds(params))

    def queue_ttl(self, params: Any) -> float | None:
        """Seconds that the job may wait in the queue; None for ``scheduling.queue_ttl``."""
        return None

    def attachments(self, values: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
        """The files that params name, as (field, ids), in the order of the fields."""
        found = []
        for spec in fields_of(self.params):
            value = values.get(spec.name) if spec.kind == "input" else None
            ids = value if isinstance(value, list) else [value] if value else []
            if ids:
                found.append((spec.name, ids))
        return found

    def choices(self, field: str) -> Sequence[str]:
        """What the plugin itself knows a text field may be; what workers announce is added to it."""
        return ()

    async def complete(self, field: str, text: str, asker: Asker) -> Sequence[str]:
        """Completions of ``text`` for ``field``, best first; the default offers the field's choices."""
        needle = text.casefold()
        found = [choice for choice in self.app.choices(self.name, field) if needle in choice.casefold()]
        return sorted(found, key=lambda choice: (not choice.casefold().startswith(needle), choice))

    def demo(self) -> Demo | Sequence[Demo] | None:
        """Example params; several are asked one after the other; None where there is nothing to show."""
        return None

    async def handle_result(self, job: Job, result: Result) -> Reply:
        """Make the reply. Called once or, after a crash or an error, again: idempotent, keyed by the job's id."""
        text = result.output.get("text")
        return Reply(text=text if isinstance(text, str) else "")

    async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
        """Do the work, where ``runs_on`` is ``"hub"``; returns the output."""
        raise NotImplementedError(f"{type(self).__name__} runs on the hub and must implement run(params, ctx)")


def shown_artifacts(reply: Reply, result: Result) -> list[str]:
    """The ids of the artifacts that ``reply`` shows, in order."""
    if reply.artifacts is None:
        return [artifact.id for artifact in result.artifacts if artifact.role is Role.RESULT]
    by_name = {artifact.name: artifact.id for artifact in result.artifacts}
    return [by_name[name] for name in reply.artifacts if name in by_name]
