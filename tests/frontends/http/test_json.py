import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_core.frontends.http.json import NotJson, dump, load


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": NaN}',
        b"[Infinity]",
        b"[1e999]",
        b'{"a": 1, "a": 2}',
        b'"\\ud800"',
        b"[" * 100_000,
        b"\xff",
        b"",
        b"{",
        b"1" * 5000,
    ],
)
def test_what_could_not_be_sent_on_is_not_read(text: bytes) -> None:
    with pytest.raises(NotJson):
        load(text)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(values)
def test_what_is_written_is_read_again(value: object) -> None:
    assert load(dump(value)) == value


def test_numbers_that_json_does_not_have_are_written_as_null() -> None:
    assert dump([math.nan, math.inf]) == b"[null,null]"
