"""Trainings in processes of their own: what they tell, how they fail, how they end, how they go on after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.checkpoint import WEIGHTS, check_complete
from llm_i2i.lm.open import train_checkpoint
from llm_i2i.lm.training import launch
from llm_i2i.lm.training.job import job_digest
from tests.tiny_llama import catalogue, llama_settings, next_items, questions, write_llama

STEPS = 120
LONG = {"epochs": STEPS // 5, "checkpoint_every": 4}
PARENT = """
import json, sys
from pathlib import Path
import pyarrow.parquet as pq
from llm_i2i.lm.settings import settings_from
from llm_i2i.lm.open import train_checkpoint
base = Path(sys.argv[1])
train_checkpoint(pq.read_table(base / "rows.parquet"), base / "killed", settings_from(json.loads(sys.argv[2])),
    items=pq.read_table(base / "items.parquet"), resume_dir=base / "resume", base_dir=base,
    progress=lambda *told: print(*told, flush=True))
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    write_llama(tmp_path / "llama")
    return tmp_path


def wait_until(is_true: Callable[[], object], what: str) -> None:
    until = time.monotonic() + 300
    while not is_true():
        assert time.monotonic() < until, what
        time.sleep(0.01)


def workers_of(base: Path) -> list[int]:
    """Process ids of the workers on a job under a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if launch.WORKER.encode() in words and any(str(base).encode() in w for w in words):
            found.append(int(entry.parent.name))
    return found


def start(base: Path, settings: dict[str, object]) -> subprocess.Popen[str]:
    pq.write_table(next_items(), base / "rows.parquet")
    pq.write_table(catalogue(), base / "items.parquet")
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, str(base), json.dumps(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts tests in the background lets them inherit an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize("victim", ["worker", pytest.param("parent", marks=pytest.mark.slow)])
def test_killed_half_way_and_gone_on_is_the_undisturbed_training(base: Path, victim: str):
    settings = llama_settings(**LONG)
    states = base / "resume" / job_digest(next_items(), catalogue(), settings, None, 42)
    parent = start(base, settings.dump())
    wait_until(lambda: list(states.glob("step-*")), "no state was written")
    os.kill(parent.pid if victim == "parent" else workers_of(base)[0], signal.SIGKILL)
    _, stderr = parent.communicate(timeout=300)
    if victim == "worker":
        assert "failed with signal 9" in stderr
    wait_until(lambda: not workers_of(base), "a worker outlived its parent")
    assert not (base / "killed" / WEIGHTS).exists()
    (state,) = states.glob("step-*")
    done = int(state.name.removeprefix("step-"))
    assert 0 < done < STEPS

    steps: list[float] = []
    options = {"items": catalogue(), "base_dir": base}
    resumed = train_checkpoint(
        next_items(), base / "resumed", settings, resume_dir=base / "resume",
        progress=lambda step, total, message: steps.append(step), **options,
    )  # fmt: skip
    assert steps[0] == done + 1
    straight = train_checkpoint(next_items(), base / "straight", settings, **options)
    told = [(row.step, row.loss, row.learning_rate) for row in straight]
    assert [(row.step, row.loss, row.learning_rate) for row in resumed] == told
    assert len(told) == STEPS
    weights = [(base / name / WEIGHTS).read_bytes() for name in ("resumed", "straight")]
    assert weights[0] == weights[1]


def test_interrupt_ends_the_workers(base: Path):
    parent = start(base, llama_settings(epochs=10_000).dump())
    assert parent.stdout is not None
    parent.stdout.readline()  # training has begun
    assert workers_of(base)
    parent.send_signal(signal.SIGINT)
    _, stderr = parent.communicate(timeout=300)
    assert "KeyboardInterrupt" in stderr
    assert not workers_of(base)
    assert not (base / "killed" / launch.JOB).exists()


def test_another_job_does_not_go_on_from_a_state(tmp_path: Path):
    one = (next_items(), catalogue(), llama_settings(), None, 42)
    others = [
        (next_items(41), *one[1:]),
        (one[0], None, *one[2:]),
        (*one[:2], llama_settings(epochs=2), *one[3:]),
        (*one[:4], 43),
    ]
    assert job_digest(*one) == job_digest(*one)
    assert len({job_digest(*job) for job in (one, *others)}) == 5


def test_what_it_leaves(base: Path):
    calls: list[tuple[float, float, str]] = []
    log = train_checkpoint(
        questions(), base / "out", llama_settings(), items=catalogue(), base_dir=base,
        resume_dir=base / "resume", progress=lambda *told: calls.append(told),
    )  # fmt: skip
    assert {path.name for path in (base / "out").iterdir()} == {
        "config.json", "items.json", "llmi2i.json", "loss.svg", WEIGHTS, "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    assert check_complete(base / "out").labels == ("No", "Yes")
    assert [call[:2] for call in calls] == [(row.step, 4) for row in log]
    assert not (base / "resume").exists()  # nothing asked for states


def test_an_error_of_the_worker_is_ours(base: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LlmI2iError, match="cannot load a tokenizer from 'nowhere'") as caught:
        train_checkpoint(
            next_items(), base / "out", llama_settings(pretrained="nowhere"), base_dir=base
        )
    assert caught.value.where == "language_model.tokenizer"
    assert caught.value.fix
    assert not (base / "out" / launch.JOB).exists()


def test_a_crash_of_the_worker_tells_its_last_lines(base: Path):
    config = json.loads((base / "llama" / "config.json").read_text())
    (base / "llama" / "config.json").write_text(json.dumps({**config, "hidden_size": 15}))
    with pytest.raises(LlmI2iError, match="the training process failed") as caught:
        train_checkpoint(next_items(), base / "out", llama_settings(), base_dir=base)
    assert "Error" in caught.value.found


def test_bad_rows_show_before_a_process_starts(base: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    with pytest.raises(LlmI2iError, match="neither of the two shapes"):
        train_checkpoint(pa.table({"a": [1]}), base / "out", llama_settings(), base_dir=base)


@pytest.mark.parametrize(
    ("values", "package", "extra"),
    [({"lora": {}}, "peft", "lora"), ({"deepspeed": "zero2.json"}, "deepspeed", "deepspeed")],
)
def test_a_missing_package_names_its_extra(
    values: dict[str, object], package: str, extra: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else 1)
    with pytest.raises(
        LlmI2iError, match=f"trained with {package}, which is not installed"
    ) as caught:
        launch.check_installed(llama_settings(**values))
    assert caught.value.fix == f"pip install 'llm_i2i[{extra}]'"
