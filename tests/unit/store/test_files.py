"""Locks, and what killed writers leave."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from llm_i2i.store.calls import CallCache
from llm_i2i.store.files import (
    file_lock,
    lock_if_free,
    replace_text,
)
from llm_i2i.store.gc import Scope, collect
from llm_i2i.store.store import ResultMeta, Store
from llm_i2i.store.sweep import ABANDONED, sweep_abandoned

HOLD = """
import sys
from pathlib import Path
from llm_i2i.store.files import file_lock
with file_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def holder(lock: Path) -> subprocess.Popen[str]:
    """Another process that holds a lock until a line comes."""
    line = [sys.executable, "-c", HOLD, str(lock)]
    process = subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    return process


def test_a_lock_that_was_removed_is_not_held_by_two(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    with lock_if_free(lock) as is_free:
        assert not is_free  # there is none
    with file_lock(lock):
        waiting = holder(lock)
        time.sleep(1.0)
        lock.unlink()  # as its holder may
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "held\n"  # of the new file
    with lock_if_free(lock) as is_free:
        assert not is_free
    waiting.communicate("\n", timeout=30)
    with lock_if_free(lock) as is_free:
        assert is_free


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2, follow_symlinks=False)


def test_only_what_is_abandoned_is_swept(tmp_path: Path) -> None:
    names = [".a.json.1f.tmp", "deep/.b.parquet.2e.tmp", "deep/kept.tmp", ".hidden", "c.json"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
        age(tmp_path / name, ABANDONED + 60)
    (tmp_path / ".folder.3d.tmp").mkdir()
    (tmp_path / ".folder.3d.tmp/data").write_text("x")
    age(tmp_path / ".folder.3d.tmp", ABANDONED + 60)  # but its file is new
    (tmp_path / ".new.json.4c.tmp").write_text("being written")
    (tmp_path / ".link.5b.tmp").symlink_to("nowhere")
    age(tmp_path / ".link.5b.tmp", ABANDONED + 60)
    sweep_abandoned(tmp_path)
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if not p.is_dir())
    assert left == [".folder.3d.tmp/data", ".hidden", ".new.json.4c.tmp", "c.json", "deep/kept.tmp"]


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is synced, and what is named (`-> name`), in order; a random part of a name is *."""
    done: list[str] = []

    def shown(path: Path) -> str:
        return re.sub(r"[0-9a-f]{8,}", "*", str(path.relative_to(tmp_path)))

    def named(path: Path, target: Path) -> Path:
        done.append(f"-> {shown(Path(target))}")
        os.rename(path, target)
        return Path(target)

    for module in ("files", "store", "calls"):
        monkeypatch.setattr(
            f"llm_i2i.store.{module}.sync_file", lambda path: done.append(shown(path))
        )
    monkeypatch.setattr(Path, "rename", named)
    monkeypatch.setattr(Path, "replace", named)
    return done


def test_everything_is_on_disk_before_it_is_named(tmp_path: Path, order: list[str]) -> None:
    """After a power cut a name must not lead to bytes that were never written: contents first, then the folder that names them."""
    replace_text(tmp_path / "deep/a.json", "{}")
    assert order == [".", "deep/.a.json.*.tmp", "-> deep/a.json", "deep"]
    order.clear()
    CallCache(tmp_path).commit("u", "g", pa.table({"arg_0": [1]}))
    assert order == [".", "calls", "calls/u", "calls/u/g/.*.tmp", "-> calls/u/g/*.parquet", "calls/u/g"]  # fmt: skip
    order.clear()
    store = Store(tmp_path)
    with store.new_folder() as folder:
        (folder / "artifact/inner").mkdir(parents=True)
        (folder / "artifact/inner/weights").write_text("w")
        (folder / "data.parquet").write_text("d")
        store.publish(folder, ResultMeta("n", "f", 1, 0.0, []))
    files = ["artifact", "artifact/inner", "artifact/inner/weights", "data.parquet", "meta.json"]
    contents = [*(f"store/.tmp/*/{name}" for name in files), "store/.tmp/*"]
    assert order == [".", "store", *contents, "store", "-> store/n/f", "store/n"]


def test_gc_finds_the_state_of_a_training_whose_result_is_there(tmp_path: Path) -> None:
    """The kill came between the publication of a result and the removal of what its training had kept."""
    store = Store(tmp_path)
    with store.new_folder() as folder:
        (folder / "data.parquet").write_text("d")
        store.publish(folder, ResultMeta("n", "f", 1, 0.0, []))
    for pair in (("n", "f"), ("n", "unfinished")):
        store.resume_path(*pair).mkdir(parents=True)
    (tmp_path / "builds").mkdir()
    (tmp_path / "builds/dev-1.json").write_text(
        '{"environment": "dev", "nodes": {"n": "f", "m": "g"}, "udfs": []}'
    )
    store.resume_path("m", "g").mkdir()
    found = collect(tmp_path, Scope(), dry_run=False)
    assert {item.path.name for item in found.garbage} == {"n-f", "n-unfinished"}
    assert [path.name for path in (tmp_path / "resume").iterdir()] == ["m-g"]
