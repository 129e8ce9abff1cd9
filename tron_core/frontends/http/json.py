"""JSON as RFC 8259 has it, in and out.

In: no NaN or Infinity (and no number too large for a double, which would become one), no name twice in one object, no
half of a surrogate pair, no nesting that exhausts the stack: none of these could be stored and sent on.
"""

from __future__ import annotations

import json
import math
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

MAX_BODY = 1 << 20
"""Bytes of a JSON body."""


class NotJson(ValueError):
    """Why a text is not JSON."""


def dump(value: Any) -> bytes:
    """``value`` as JSON; what is not finite becomes null."""
    return to_json(value, inf_nan_mode="null")


def load(text: bytes) -> Any:
    """The value of a JSON text; raises NotJson."""
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_each_name_once)
        if b"\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise NotJson("it holds half of a surrogate pair") from None
    except ValueError as error:
        raise NotJson(str(error)) from None
    return value


def _no_constant(name: str) -> float:
    raise NotJson(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotJson(f"{text[:40]} is too large a number")
    return number


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotJson(f"the name {twice!r} occurs twice in one object")
    return found


class Json(Response):
    """A response of JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return dump(content)


def is_json(request: Request) -> bool:
    """Whether the request says that its body is JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
