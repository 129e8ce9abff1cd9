import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from tron_core.frontends.http.filenames import MAX_NAME, clean, name_of


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({}, "upload"),
        ({"x-filename": "fox.png"}, "fox.png"),
        ({"x-filename": "f%C3%BCchse%20im%20Schnee.png"}, "füchse im Schnee.png"),
        ({"content-disposition": 'attachment; filename="a b.png"'}, "a b.png"),
        ({"content-disposition": "attachment; filename=\"x\"; filename*=UTF-8''%e2%82%ac.png"}, "€.png"),
        ({"content-disposition": 'inline; filename="../../etc/passwd"'}, "passwd"),
        ({"content-disposition": "inline"}, "upload"),
        ({"x-filename": "C:\\pictures\\fox.png"}, "fox.png"),
        ({"x-filename": "..%2f.."}, "upload"),
    ],
)
def test_a_file_has_the_name_that_its_headers_give_without_folders(headers: dict[str, str], name: str) -> None:
    assert name_of(Headers(headers)) == name


@given(st.text(max_size=300))
def test_no_name_leaves_its_folder_or_is_long(name: str) -> None:
    cleaned = clean(name)
    assert cleaned
    assert len(cleaned) <= MAX_NAME
    assert cleaned not in (".", "..")
    assert "/" not in cleaned
    assert "\\" not in cleaned
    assert cleaned.isprintable()
