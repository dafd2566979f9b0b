"""DeepSpeed ZeRO-2 in real processes over gloo: the same training, whatever their number. `make test-deepspeed` runs them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.checkpoint import WEIGHTS
from llm_i2i.lm.open import train_checkpoint
from llm_i2i.lm.settings import PretrainedSettings
from llm_i2i.lm.trainer import LogRow
from tests.tiny_llama import as_tokens, catalogue, llama_settings, next_items, write_llama

ZERO2 = Path(__file__).parents[2] / "project" / "deepspeed" / "zero2.json"
pytest.importorskip("deepspeed", reason="needs the deepspeed extra: make test-deepspeed")
pytestmark = pytest.mark.deepspeed


@pytest.fixture(scope="module")
def extensions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DeepSpeed compiles its CPU communication once for all tests."""
    named = os.environ.get("TORCH_EXTENSIONS_DIR")
    return Path(named) if named else tmp_path_factory.mktemp("extensions")


@pytest.fixture
def base(tmp_path: Path, extensions: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(extensions))
    write_llama(tmp_path / "llama")
    return tmp_path


def settings(processes: int | None, **values: object) -> PretrainedSettings:
    """Settings with some processes under ZeRO-2; None is plain torch."""
    zero = {} if processes is None else {"deepspeed": str(ZERO2), "processes": processes}
    return llama_settings(**{"epochs": 3, **zero, **values})


def train(base: Path, name: str, chosen: PretrainedSettings, **options: object) -> list[LogRow]:
    rows, items = next_items(42), catalogue()  # 42 rows in steps of 8: the last has 2
    if chosen.item_ids == "token":
        rows, items = as_tokens(rows), as_tokens(items)
    return train_checkpoint(rows, base / name, chosen, items=items, base_dir=base, **options)  # type: ignore[arg-type]


def losses(log: list[LogRow]) -> list[float]:
    return [row.loss for row in log]


def test_two_processes_train_the_steps_of_one(base: Path):
    stop = {"share": 0.2, "patience": 9, "evaluations": 1}
    plain = train(base, "plain", settings(None, early_stop=stop))
    one = train(base, "one", settings(1, early_stop=stop))
    two = train(base, "two", settings(2, early_stop=stop, gradient_accumulation=2))
    assert losses(one) == pytest.approx(losses(plain), abs=1e-3)
    assert losses(two) == pytest.approx(losses(one), abs=1e-3)
    assert losses(two)[-1] < 0.8 * losses(two)[0]
    told = [
        [row.validation_loss for row in log if row.validation_loss] for log in (plain, one, two)
    ]
    assert len(told[0]) == 3
    assert told[1] == pytest.approx(told[0], abs=1e-3)
    assert told[2] == pytest.approx(told[0], abs=1e-3)
    first, last = (load_file(base / name / WEIGHTS) for name in ("plain", "two"))
    assert first.keys() == last.keys()
    for name, tensor in first.items():
        assert abs(tensor - last[name]).max() < 5e-3, name


def test_lora_with_added_items(base: Path):
    pytest.importorskip("peft", reason="needs the lora extra")
    values = {"item_ids": "token", "lora": {"rank": 4}}
    plain = train(base, "plain", settings(None, **values))
    zero = train(base, "zero", settings(2, **values))
    half = train(base, "half", settings(1, precision="bfloat16", **values))
    assert losses(zero) == pytest.approx(losses(plain), abs=1e-3)
    assert losses(half) == pytest.approx(losses(plain), rel=0.05)  # bfloat16 has 8 bits
    assert not [name for name in load_file_names(base / "zero") if "lora" in name]


def load_file_names(folder: Path) -> list[str]:
    with (folder / WEIGHTS).open("rb") as handle:
        size = int.from_bytes(handle.read(8), "little")
        return list(json.loads(handle.read(size)))


def test_killed_and_gone_on(base: Path):
    chosen = settings(2, epochs=30, checkpoint_every=5)
    steps: list[float] = []

    def kill(step: float, total: float, message: str) -> None:
        if step == 60:
            for pid in workers_of(base):
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(LlmI2iError, match="the training process failed"):
        train(base, "killed", chosen, resume_dir=base / "resume", progress=kill)
    assert not workers_of(base)
    resumed = train(
        base,
        "resumed",
        chosen,
        resume_dir=base / "resume",
        progress=lambda s, t, m: steps.append(s),
    )
    assert 50 < steps[0] < 80
    straight = train(base, "straight", chosen)
    assert losses(resumed) == pytest.approx(losses(straight), abs=1e-3)


def workers_of(base: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        is_launcher = b"torch.distributed.run" in words
        if not is_launcher and any(str(base).encode() in w for w in words):
            found.append(int(entry.parent.name))
    return found
