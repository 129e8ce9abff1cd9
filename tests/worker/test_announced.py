from tron_core.hub.protocol import Announced, Status
from tron_core.worker.announced import changes, merge


def test_slots_are_put_together_in_the_order_of_the_first() -> None:
    one = {"tts": Announced(models=("a", "b"), loaded=("b",), choices={"voice": ("anna",)})}
    two = {"tts": Announced(models=("c", "b"), loaded=("c",), choices={"voice": ("bert", "anna")}), "llm": Announced()}
    assert merge([one, two]) == {
        "tts": Announced(models=("a", "b", "c"), loaded=("b", "c"), choices={"voice": ("anna", "bert")}),
        "llm": Announced(),
    }


def test_only_what_changed_is_told() -> None:
    old = {"tts": Announced(models=("a",)), "llm": Announced(loaded=("x",), choices={"k": ("1",)})}
    new = {"tts": Announced(models=("a",), loaded=("a",)), "llm": Announced(loaded=("x",), choices={"k": ("2",)})}
    assert changes(old, new) == Status(loaded={"tts": ("a",)}, choices={"llm": {"k": ("2",)}})
    assert changes(new, new) is None
