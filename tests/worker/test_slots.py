import pytest

from tron_core.worker.slots import describe_end


@pytest.mark.parametrize(
    ("exitcode", "kind", "words"),
    [
        (-11, "internal", "SIGSEGV"),
        (-9, "out_of_memory", "ran out of memory"),
        (-63, "internal", "signal 63"),
        (3, "internal", "status 3"),
        (0, "internal", "status 0"),
    ],
)
def test_the_end_of_a_process_is_put_into_words(exitcode: int, kind: str, words: str) -> None:
    lost = describe_end(exitcode)
    assert lost.kind == kind
    assert words in lost.message
