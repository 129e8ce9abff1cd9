"""The executor with its real voice: what it says can be understood, and said again."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from pocketsphinx import Decoder

from tron_core.testing import RecordingContext
from tron_core.worker import Cancelled, ExecutorError
from tron_plugin_bark import SPEECH, VOICES, SpeechParams
from tron_plugin_bark.config import BarkConfig
from tron_plugin_bark.engines.piper_process import PiperDied, PiperProcess
from tron_plugin_bark.executor import SpeechExecutor, tron_register_executors


def spoken(executor: SpeechExecutor, ctx: RecordingContext, text: str, seed: int = 7) -> tuple[np.ndarray, int]:
    """The samples of ``text`` and how many of them make a second."""
    output = executor.run(SpeechParams(text=text, seed=seed), ctx)
    with wave.open(io.BytesIO(ctx.artifacts["speech.wav"].data)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        samples, rate = np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()
    assert output == {"voice": VOICES[0], "seconds": pytest.approx(len(samples) / rate, abs=0.001)}
    return samples, rate


def heard(samples: np.ndarray, rate: int) -> set[str]:
    """The words that a speech recogniser makes of it."""
    times = np.arange(0, len(samples) / rate, 1 / 16000)
    resampled = np.interp(times, np.arange(len(samples)) / rate, samples).astype("<i2")
    decoder = Decoder(samprate=16000, loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw(resampled.tobytes(), full_utt=True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    return set(hypothesis.hypstr.split()) if hypothesis else set()


def test_a_recogniser_understands_several_of_the_words(executor: SpeechExecutor, tmp_path: Path) -> None:
    samples, rate = spoken(executor, RecordingContext(tmp_path), SPEECH.demo()[0].params["text"])
    assert rate == 22050
    words = {"hello", "your", "job", "has", "finished", "voice", "says", "ordinary", "processor"}
    assert len(words & heard(samples, rate)) >= 4


def test_the_sound_is_that_of_a_voice(executor: SpeechExecutor, tmp_path: Path) -> None:
    samples, rate = spoken(executor, RecordingContext(tmp_path), "The quick brown fox jumps over the lazy dog.")
    assert 1.5 < len(samples) / rate < 6
    assert 8000 < np.abs(samples.astype(np.int32)).max() <= 32767
    power = np.abs(np.fft.rfft(samples / 32768)) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    within = power[(frequencies > 80) & (frequencies < 4000)].sum()
    assert within > 0.85 * power.sum()
    assert power[frequencies < 40].sum() < 0.01 * power.sum()


def test_the_same_seed_says_the_same_and_another_says_it_otherwise(executor: SpeechExecutor, tmp_path: Path) -> None:
    text = "Once more. With feeling."
    first, again, other = (spoken(executor, RecordingContext(tmp_path), text, seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_without_a_seed_each_reading_is_another(executor: SpeechExecutor, tmp_path: Path) -> None:
    one, two = (spoken(executor, RecordingContext(tmp_path), "Good morning.", seed=-1)[0] for _ in range(2))
    assert not np.array_equal(one, two)


def test_a_pause_stands_between_sentences(executor: SpeechExecutor, tmp_path: Path) -> None:
    samples, rate = spoken(executor, RecordingContext(tmp_path), "One. Two.")
    quiet = np.abs(samples.astype(np.int32)) == 0
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]]))))[::2]
    assert runs.max() >= 0.25 * rate


def test_progress_counts_sentences_and_loading_is_told_once(tmp_path: Path) -> None:
    executor = SpeechExecutor()
    try:
        ctx = RecordingContext(tmp_path)
        executor.run(SpeechParams(text="One. Two. Three."), ctx)
        assert [(report.step, report.steps) for report in ctx.reports if report.step] == [(1, 3), (2, 3), (3, 3)]
        assert ctx.fractions[-1] == 1
        assert ctx.load_seconds is not None
        again = RecordingContext(tmp_path)
        executor.run(SpeechParams(text="Four."), again)
        assert again.load_seconds is None
    finally:
        executor.close()


def test_the_waveform_comes_with_it(executor: SpeechExecutor, tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path)
    spoken(executor, ctx, "Hello.")
    assert [(artifact.name, artifact.role) for artifact in ctx.artifacts.values()] == [
        ("speech.wav", "result"),
        ("waveform.png", "waveform"),
    ]
    with Image.open(io.BytesIO(ctx.artifacts["waveform.png"].data)) as image:
        image.verify()


def test_a_cancel_stops_between_two_sentences(executor: SpeechExecutor, tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path, cancel_at=0.1)
    with pytest.raises(Cancelled):
        executor.run(SpeechParams(text="One. Two. Three. Four. Five."), ctx)
    assert ctx.reports[-1].step == 1
    assert not ctx.artifacts


@pytest.mark.parametrize("text", ["...", " \n ", "—"])
def test_a_text_without_a_sound_is_refused(executor: SpeechExecutor, tmp_path: Path, text: str) -> None:
    with pytest.raises(ExecutorError, match="nothing in it") as caught:
        executor.run(SpeechParams(text=text), RecordingContext(tmp_path))
    assert caught.value.kind == "invalid"


def test_an_unknown_voice_is_refused_with_those_here(executor: SpeechExecutor, tmp_path: Path) -> None:
    with pytest.raises(ExecutorError, match=VOICES[0]) as caught:
        executor.run(SpeechParams(text="Hello", voice="no-such"), RecordingContext(tmp_path))
    assert caught.value.kind == "invalid"


def test_a_dead_process_is_worth_another_try(
    executor: SpeechExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*args: object) -> None:
        raise PiperDied("Piper's process ended with status -9")

    monkeypatch.setattr("tron_plugin_bark.engines.piper_process.PiperProcess.say", die)
    with pytest.raises(ExecutorError, match="status -9") as caught:
        executor.run(SpeechParams(text="Hello"), RecordingContext(tmp_path))
    assert (caught.value.kind, caught.value.retryable) == ("transient", True)


def test_voices_are_announced_as_choices(executor: SpeechExecutor) -> None:
    assert executor.choices() == {"voice": list(VOICES)}


def test_an_empty_folder_leaves_the_executor_out_with_a_reason(tmp_path: Path) -> None:
    executor = SpeechExecutor()
    executor.options = BarkConfig(engine="piper", voices=tmp_path)
    assert (executor.unavailable() or "").startswith(f"no voice in {tmp_path}")


def test_where_no_engine_is_named_it_is_said_what_each_lacks(tmp_path: Path) -> None:
    executor = SpeechExecutor()
    executor.options = BarkConfig(voices=tmp_path, model=str(tmp_path / "bark"))
    reason = executor.unavailable() or ""
    assert reason.startswith(f"Piper: no voice in {tmp_path}")
    assert "; Bark: " in reason


def test_the_engine_s_own_reason_is_given_where_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else object())
    executor = SpeechExecutor()
    executor.options = BarkConfig(engine="bark")
    assert executor.unavailable() == "torch not installed: pip install 'tron-plugin-bark[bark]'"


def test_another_engine_is_refused_by_the_configuration() -> None:
    with pytest.raises(ValueError, match="'auto', 'bark' or 'piper'"):
        BarkConfig.model_validate({"engine": "espeak"})


def test_the_hook_offers_the_executor() -> None:
    (executor,) = tron_register_executors()
    assert executor.capability == "tts"


@pytest.fixture
def two_voices(tmp_path: Path, voice: Path) -> Iterator[SpeechExecutor]:
    """An executor that has the one voice under two names."""
    folder = tmp_path / "voices"
    folder.mkdir()
    for name in ("amy", "bob"):
        for suffix in (".onnx", ".onnx.json"):
            (folder / f"{name}{suffix}").symlink_to(voice.with_name(f"{voice.stem}{suffix}"))
    executor = SpeechExecutor()
    executor.options = BarkConfig(voices=folder)
    yield executor
    executor.close()


def test_actors_speak_in_turn_and_each_voice_is_loaded_once(
    two_voices: SpeechExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads, said = list[str](), list[str]()

    class Recorded(PiperProcess):
        def load(self, voice: Path, seed: int | None) -> int:
            loads.append(voice.stem)
            return 16_000 if voice.stem == "amy" else 22_050

        def say(self, text: str) -> np.ndarray:
            said.append(text)
            return np.full(1600 if loads[-1] == "amy" else 2205, len(said) * 1000, np.int16)

    monkeypatch.setattr("tron_plugin_bark.engines.piper_process.PiperProcess", Recorded)
    ctx = RecordingContext(tmp_path)
    params = SpeechParams(text="{A}: One. {B}: Two.\n{a}: Three.", actors="A=amy, B=bob")
    output = two_voices.run(params, ctx)
    assert (loads, said) == (["amy", "bob"], ["One.", "Three.", "Two."])
    assert output == {"voice": "amy, bob", "seconds": pytest.approx(0.1 * 3 + 0.25 * 2, abs=0.01)}
    with wave.open(io.BytesIO(ctx.artifacts["speech.wav"].data)) as file:
        samples, rate = np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()
    assert rate == 22_050
    assert [round(samples[round(at * rate)], -2) for at in (0.05, 0.4, 0.75)] == [1000, 3000, 2000]
    assert [report.step for report in ctx.reports if report.step] == [1, 2, 3]


def test_two_real_voices_make_one_file(two_voices: SpeechExecutor, tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path)
    params = SpeechParams(text="{amy}: Is the kettle on? {bob}: It is.", seed=7, format="ogg")
    output = two_voices.run(params, ctx)
    message = output["voice_message"]
    assert (message["artifact"], message["duration_secs"]) == ("speech.ogg", output["seconds"])
    about = soundfile.info(io.BytesIO(ctx.artifacts["speech.ogg"].data))
    assert (about.subtype, about.duration) == ("OPUS", pytest.approx(output["seconds"], abs=0.03))
    waveform = base64.b64decode(message["waveform"])
    assert len(waveform) == round(10 * output["seconds"])
    assert max(waveform) > 60


def test_an_actor_whose_voice_is_elsewhere_is_refused(two_voices: SpeechExecutor, tmp_path: Path) -> None:
    with pytest.raises(ExecutorError, match="'joe' is not on this worker; allowed: amy, bob"):
        two_voices.run(SpeechParams(text="{A}: Hello.", actors="A=joe"), RecordingContext(tmp_path))


def test_an_mp3_is_named_and_typed_as_one(executor: SpeechExecutor, tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path)
    output = executor.run(SpeechParams(text="Hello.", format="mp3"), ctx)
    assert ctx.artifacts["speech.mp3"].media_type == "audio/mpeg"
    assert "voice_message" not in output
