"""kill -9 in the middle of a training: the next build goes on from its last state, and leaves none behind."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import duckdb
import pytest

from tests.project.conftest import ShopProject
from tests.project.test_crash import start
from tests.tiny_llama import write_llama

FINE_TUNE = Path(__file__).parents[2] / "udfs" / "fine_tune.py"


@pytest.fixture
def training(shop: ShopProject) -> ShopProject:
    """The shop's checkpoint is a real one, of 240 steps."""
    write_llama(shop.dir / "llama")
    shutil.copy(FINE_TUNE, shop.dir / "udfs" / "fine_tune.py")
    settings = "{pretrained: llama, epochs: 60, batch_size: 15, learning_rate: 0.001, checkpoint_every: 5, threads: 1}"
    shop.replace("project/project.yml", "{small: {architecture: fake}}", f"{{small: {settings}}}")
    shop.write(
        "models/trained.sql",
        """
        select step, loss, checkpoint
        from fine_tune(
            (select user_id as prompt, item_id as completion, 1.0 as weight from {{ ref('events') }} order by all),
            language_model := {{ language_model('small') }}
        )
        """,
    )
    return shop


@pytest.mark.slow
def test_a_killed_build_goes_on(training: ShopProject):
    states = training.dir / "target" / "resume"
    build = start(training, "-s", "+trained")
    until = time.monotonic() + 300
    while not list(states.glob("trained-*/*/step-*")):
        assert build.poll() is None, build.stderr.read() if build.stderr else ""
        assert time.monotonic() < until, "no state was written"
        time.sleep(0.02)
    build.send_signal(signal.SIGKILL)
    build.communicate()
    # killed between writing a state and removing the one before, it leaves two
    state = max(states.glob("trained-*/*/step-*"), key=lambda path: int(path.name[5:]))
    # A mark in the log kept so far shows that the next build goes on from here.
    text = (state / "state.json").read_text()
    first = text.index('"loss": ') + len('"loss": ')
    (state / "state.json").write_text(f"{text[:first]}77{text[first:]}")

    done = training.run("build", "-s", "+trained", timeout=300)
    assert done.returncode == 0, done.stderr
    assert not list(states.iterdir())
    with duckdb.connect(str(training.dir / "target" / "dev.duckdb"), read_only=True) as client:
        losses = client.sql("select loss from trained order by step").fetchall()
    assert len(losses) == 240
    assert losses[0][0] > 770
    assert losses[1][0] < 77
