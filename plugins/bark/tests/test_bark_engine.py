"""Bark itself, through transformers on torch, from a tiny model of random weights."""

from __future__ import annotations

import io
import re
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

sys.path.append(str(Path(__file__).parent))  # the module beside this one is no test module

from tiny_bark import arrays, write_model  # noqa: E402

from tron_core.testing import RecordingContext  # noqa: E402
from tron_core.worker import Cancelled, ExecutorError  # noqa: E402
from tron_plugin_bark import SpeechParams  # noqa: E402
from tron_plugin_bark.audio import FADE, PAUSE  # noqa: E402
from tron_plugin_bark.config import BarkConfig  # noqa: E402
from tron_plugin_bark.executor import SpeechExecutor  # noqa: E402

pytestmark = [pytest.mark.workers, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

VOICES = ("v2/en_speaker_6", "v2/de_speaker_0")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bark")
    write_model(folder, *VOICES)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """So small a model is quicker so, and says the same everywhere."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def executor_of(model: Path, **section: Any) -> SpeechExecutor:
    executor = SpeechExecutor()
    executor.options = BarkConfig(engine="bark", model=str(model), device="cpu", **section)
    assert executor.unavailable() is None
    return executor


@pytest.fixture(scope="module")
def executor(model: Path) -> SpeechExecutor:
    return executor_of(model)


def spoken(
    executor: SpeechExecutor, folder: Path, text: str, *, seed: int = 7, voice: str | None = None
) -> tuple[np.ndarray, dict[str, Any]]:
    """The samples of ``text``, and the output."""
    ctx = RecordingContext(folder)
    output = executor.run(SpeechParams(text=text, seed=seed, voice=voice), ctx)
    with wave.open(io.BytesIO(ctx.artifacts["speech.wav"].data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2"), output


def test_a_sentence_becomes_sound_and_the_output_says_what_spoke(
    executor: SpeechExecutor, model: Path, tmp_path: Path
) -> None:
    samples, output = spoken(executor, tmp_path, "hello there")
    assert output["seconds"] == pytest.approx(len(samples) / 24_000, abs=0.001)
    assert np.abs(samples.astype(np.int32)).max() > 100
    assert (output["voice"], output["model"], output["device"], output["dtype"]) == (
        "v2/en_speaker_6", model.name, "cpu", "float32",
    )  # fmt: skip
    assert output["libraries"] == {"torch": torch.__version__, "transformers": output["libraries"]["transformers"]}


def test_the_same_seed_says_the_same_and_another_says_it_otherwise(executor: SpeechExecutor, tmp_path: Path) -> None:
    first, again, other = (spoken(executor, tmp_path, "once more", seed=seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_reading_by_seed_does_not_decide_the_next_one_without(executor: SpeechExecutor, tmp_path: Path) -> None:
    one, two = (spoken(executor, tmp_path, "hello", seed=seed)[0] for seed in (-1, -1) if _seeded(executor, tmp_path))
    assert not np.array_equal(one, two)


def _seeded(executor: SpeechExecutor, folder: Path) -> bool:
    return bool(spoken(executor, folder, "a", seed=3)[1])


def test_every_voice_speaks_otherwise(executor: SpeechExecutor, tmp_path: Path) -> None:
    said = [spoken(executor, tmp_path, "hello", voice=voice)[0].tobytes() for voice in (*VOICES, "random")]
    assert len(set(said)) == 3


def test_lines_are_joined_by_a_pause_and_without_clicks(executor: SpeechExecutor, tmp_path: Path) -> None:
    whole, _ = spoken(executor, tmp_path, "One. Two.")
    single, _ = spoken(executor, tmp_path, "One.")
    pause, fade = round(PAUSE * 24_000), round(FADE * 24_000)
    assert len(whole) == 2 * len(single) + pause
    assert not whole[len(single) : len(single) + pause].any()
    assert whole[0] == whole[-1] == whole[len(single) - 1] == whole[len(single) + pause] == 0
    steps = np.abs(np.diff(whole.astype(np.int32)))
    edge = slice(len(single) - 2, len(single) + pause + 2)
    assert steps[edge].max() <= np.abs(whole.astype(np.int32)).max() / fade * 2


def test_progress_counts_lines_and_the_model_stays_in_memory(model: Path, tmp_path: Path) -> None:
    executor = executor_of(model)
    assert executor.loaded() == []
    ctx = RecordingContext(tmp_path)
    executor.run(SpeechParams(text="One. Two. Three."), ctx)
    assert [(report.step, report.steps) for report in ctx.reports if report.step] == [(1, 3), (2, 3), (3, 3)]
    assert ctx.reports[0].message == f"loading {model.name}"
    assert ctx.load_seconds is not None
    assert executor.loaded() == [model.name]
    again = RecordingContext(tmp_path)
    executor.run(SpeechParams(text="four."), again)
    assert again.load_seconds is None
    executor.close()
    assert executor.loaded() == []


def test_a_line_has_no_more_words_than_bark_says_in_one_go(executor: SpeechExecutor, tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path)
    executor.run(SpeechParams(text=" ".join(["ha"] * 61)), ctx)
    assert ctx.reports[-2].steps == 3


class Interrupted(RecordingContext):
    """A job that is cancelled when it has been asked ``after`` times whether it is."""

    def __init__(self, folder: Path, after: int) -> None:
        super().__init__(folder)
        self.asked, self.after = 0, after

    @property
    def cancelled(self) -> bool:
        self.asked += 1
        return self.asked > self.after


def test_a_cancel_is_noticed_in_the_middle_of_a_line(executor: SpeechExecutor, tmp_path: Path) -> None:
    spoken(executor, tmp_path, "loaded")
    ctx = Interrupted(tmp_path, after=10)
    with pytest.raises(Cancelled):
        executor.run(SpeechParams(text="One. Two."), ctx)
    assert ctx.asked == 11
    assert [report.step for report in ctx.reports if report.step] == []
    assert len(spoken(executor, tmp_path, "still here")[0]) > 0


def test_a_cancel_stops_between_two_lines(executor: SpeechExecutor, tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path, cancel_at=0.1)
    with pytest.raises(Cancelled):
        executor.run(SpeechParams(text="One. Two. Three."), ctx)
    assert [report.step for report in ctx.reports if report.step] == [1]
    assert not ctx.artifacts


def test_what_has_no_letter_is_not_said(executor: SpeechExecutor, tmp_path: Path) -> None:
    with pytest.raises(ExecutorError, match="nothing in it") as caught:
        executor.run(SpeechParams(text="... —"), RecordingContext(tmp_path))
    assert caught.value.kind == "invalid"


@pytest.mark.parametrize(
    "message",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB.\nMore about it",
        "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9",
    ],
)
def test_too_little_memory_is_told_as_that(
    executor: SpeechExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    def generate(self: object, **inputs: object) -> None:
        raise (torch.OutOfMemoryError if "CUDA" in message else RuntimeError)(message)

    with monkeypatch.context() as patch:
        patch.setattr("transformers.BarkModel.generate", generate)
        with pytest.raises(ExecutorError, match="cpu_offload") as caught:
            executor.run(SpeechParams(text="hello"), RecordingContext(tmp_path))
    assert (caught.value.kind, caught.value.retryable) == ("out_of_memory", True)
    assert "More about it" not in caught.value.message
    assert len(spoken(executor, tmp_path, "hello")[0]) > 0


def test_a_piece_that_would_end_at_once_has_a_sound_all_the_same(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = executor_of(model)
    spoken(executor, tmp_path, "loaded")
    from transformers.models.bark.modeling_bark import BarkSemanticModel

    forward = BarkSemanticModel.forward

    def ends(self: object, *args: object, **others: object) -> Any:
        answer = forward(self, *args, **others)
        answer.logits[...] = -100
        answer.logits[..., 10_000] = 100  # the end
        return answer

    monkeypatch.setattr(BarkSemanticModel, "forward", ends)
    assert len(spoken(executor, tmp_path, "hello")[0]) > 0


def test_a_folder_of_numpy_files_has_more_voices(model: Path, tmp_path: Path) -> None:
    (tmp_path / "voices" / "v2").mkdir(parents=True)
    np.savez(tmp_path / "voices" / "v2" / "xx_speaker_1.npz", **arrays(5))
    np.savez(tmp_path / "voices" / "narrator.npz", **arrays(6))
    executor = executor_of(model, voices=tmp_path / "voices")
    assert executor.choices() == {"voice": [VOICES[0], "narrator", VOICES[1], "v2/xx_speaker_1", "random"]}
    said = [spoken(executor, tmp_path, "hello", voice=voice)[0].tobytes() for voice in ("narrator", "v2/xx_speaker_1")]
    assert said[0] != said[1]


def test_a_voice_that_makes_no_sense_is_an_error_that_names_it(model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **{**arrays(), "fine_prompt": np.full((8, 3), 1024)})
    executor = executor_of(model, voices=tmp_path)
    with pytest.raises(ExecutorError, match="the voice bad: fine_prompt has numbers outside of 0 to 1023"):
        spoken(executor, tmp_path, "hello", voice="bad")


def test_sixteen_bits_are_enough_on_request(model: Path, tmp_path: Path) -> None:
    samples, output = spoken(executor_of(model, dtype="bfloat16"), tmp_path, "hello")
    assert output["dtype"] == "bfloat16"
    assert len(samples) > 0


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"device": "cuda:99"}, r"device = 'cuda:99'.*torch finds \d+ CUDA devices here"),
        ({"device": "cpu", "cpu_offload": True}, "cpu_offload = true .* is for a CUDA device, and this is cpu"),
        ({"model": "/nowhere"}, r"no model in /nowhere \(\[executors.bark\] model\)"),
    ],
)
def test_what_cannot_work_here_leaves_the_executor_out(model: Path, section: dict[str, Any], problem: str) -> None:
    executor = SpeechExecutor()
    executor.options = BarkConfig(**{"engine": "bark", "model": str(model), **section})
    reason = executor.unavailable()
    assert reason is not None
    assert re.search(problem, reason)


def test_a_folder_that_is_no_model_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ExecutorError, match="cannot be loaded"):
        spoken(executor_of(tmp_path), tmp_path, "hello", voice="random")


def test_left_to_itself_a_machine_without_a_gpu_does_not_choose_bark(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    executor = SpeechExecutor()
    executor.options = BarkConfig(model=str(model))
    assert "random" not in executor.choices()["voice"]


def test_left_to_itself_a_machine_with_a_gpu_chooses_bark(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    executor = SpeechExecutor()
    executor.options = BarkConfig(model=str(model))
    assert executor.unavailable() is None
    assert executor.choices() == {"voice": [*VOICES, "random"]}
