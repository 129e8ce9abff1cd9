from pathlib import Path

import pytest

from tron_core.worker import hardware


def test_nvidia_smis_answer_is_read() -> None:
    assert hardware.parse_gpu("NVIDIA H100 80GB HBM3, 81559\nNVIDIA H100, 1\n") == ("NVIDIA H100 80GB HBM3", 81559)
    assert hardware.parse_gpu("NVIDIA GB10, [N/A]\n") == ("NVIDIA GB10", None)
    assert hardware.parse_gpu("") == (None, None)


async def test_this_machine_is_described() -> None:
    found = await hardware.find_hardware()
    assert found.platform
    assert found.memory_mb is None or found.memory_mb > 100


async def test_a_driver_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(hardware, "NVIDIA_TIMEOUT", 0.05)
    assert await hardware.find_gpu() == (None, None)
