"""States of an unfinished training: the newest whole one counts, a damaged one never stops a build."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_i2i.lm.training.resume import STATE, ResumeFolder, TrainingState


@pytest.fixture
def states(tmp_path: Path) -> ResumeFolder:
    return ResumeFolder(tmp_path / "job", 0, lambda: None)


def write(folder: Path) -> None:
    (folder / "tensors.bin").write_bytes(b"0123456789")


def test_the_newest_state_is_found(states: ResumeFolder) -> None:
    assert states.latest() is None
    for step in (5, 10):
        states.save(TrainingState(step=step), write)
    found = states.latest()
    assert found is not None
    assert found[0].step == 10
    assert [p.name for p in states.root.glob("step-*")] == ["step-00000010"]


@pytest.mark.parametrize("damage", ["cut tensors", "no tensors", "cut state", "no state"])
def test_a_damaged_state_is_a_new_start(states: ResumeFolder, damage: str) -> None:
    states.save(TrainingState(step=5), write)
    folder = states.root / "step-00000005"
    path = folder / ("tensors.bin" if "tensors" in damage else STATE)
    path.unlink() if damage.startswith("no") else path.write_bytes(path.read_bytes()[:-3])
    assert states.latest() is None
    states.save(TrainingState(step=5), write)  # in the place of the damaged one
    assert states.latest() is not None
