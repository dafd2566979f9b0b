"""An environment moves in one step: whatever is killed, whatever was there before."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.store.environment import (
    HISTORY,
    Environment,
    Pointer,
    State,
    environment_names,
)


def write_result(target: Path, node: str, fingerprint: str, sql: str) -> Pointer:
    folder = target / "store" / node / fingerprint
    folder.mkdir(parents=True)
    duckdb.execute(f"copy ({sql}) to '{folder / 'data.parquet'}' (format parquet)")
    return Pointer(fingerprint)


@pytest.fixture
def results(tmp_path: Path) -> dict[str, Pointer]:
    """Results a1, a2, b1, b2 in the store of a target folder; each holds its own name."""
    return {
        f"{node}{n}": write_result(tmp_path, node, f"{n}", f"select '{node}{n}' as held")
        for node in "ab"
        for n in (1, 2)
    }


def seen(target: Path, name: str = "dev") -> dict[str, str]:
    """What a client of the catalogue reads."""
    with duckdb.connect(str((target / f"{name}.duckdb").resolve()), read_only=True) as client:
        names = client.sql("select view_name from duckdb_views() where not internal").fetchall()
        return {n: client.sql(f'select held from "{n}"').fetchall()[0][0] for (n,) in names}


def pointed(environment: Environment) -> dict[str, str]:
    return {node: node + p.fingerprint for node, p in environment.pointers().items()}


def test_each_move_is_a_state_and_goes_back(tmp_path: Path, results: dict[str, Pointer]) -> None:
    dev = Environment(tmp_path, "dev")
    assert dev.pointers() == {}
    assert dev.history() == []
    assert dev.publish({"a": results["a1"], "b": results["b1"]})
    assert not dev.publish({"a": results["a1"]})
    assert dev.publish({"a": results["a2"]})
    assert pointed(dev) == seen(tmp_path) == {"b": "b1", "a": "a2"}
    now, before = dev.history()
    assert (now.number, now.by, before.number) == (2, "build", 1)
    assert dev.replace(before.nodes, "rollback to 1", restores=1)
    assert seen(tmp_path) == {"a": "a1", "b": "b1"}
    assert dev.state().origin == 1
    assert [state.number for state in dev.history()] == [3, 2, 1]
    assert json.loads((tmp_path / "envs/dev.json").read_text())["number"] == 3
    assert environment_names(tmp_path) == ["dev"]
    dev.drop()
    assert environment_names(tmp_path) == []
    assert not (tmp_path / "dev.duckdb").is_symlink()


def test_history_is_bounded(
    tmp_path: Path, results: dict[str, Pointer], monkeypatch: pytest.MonkeyPatch
) -> None:
    dev = Environment(tmp_path, "dev")
    monkeypatch.setattr("llm_i2i.store.files.sync_file", lambda path: None)
    for move in range(HISTORY + 3):
        dev.publish({"a": results[f"a{move % 2 + 1}"]})
    assert [s.number for s in dev.history()] == list(range(HISTORY + 3, 3, -1))
    assert len(list((tmp_path / "envs/dev").glob("*/catalogue.duckdb"))) == 3  # two, and `current`
    dev.trim(4)
    assert [s.number for s in dev.history()] == [23, 22, 21, 20]
    assert pointed(dev) == seen(tmp_path) == {"a": "a1"}


def test_an_environment_of_the_old_layout_goes_on_with_a_history(
    tmp_path: Path, results: dict[str, Pointer]
) -> None:
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs/dev.json").write_text(
        json.dumps({"environment": "dev", "nodes": {"a": {"fingerprint": "1", "sql": ""}}})
    )
    (tmp_path / "dev.duckdb").write_text("the old catalogue")
    dev = Environment(tmp_path, "dev")
    assert pointed(dev) == {"a": "a1"}
    assert [s.number for s in dev.history()] == [0]
    dev.publish({"a": results["a2"]})
    assert [pointed_of.nodes["a"].fingerprint for pointed_of in dev.history()] == ["2", "1"]
    assert seen(tmp_path) == {"a": "a2"}


@pytest.mark.parametrize("damage", ["removed", "no database", "unlinked", "moved"])
def test_a_catalogue_that_is_lost_is_written_again(
    tmp_path: Path, results: dict[str, Pointer], damage: str
) -> None:
    target = tmp_path
    Environment(target, "dev").publish({"a": results["a1"]})
    catalogue = target / "dev.duckdb"
    if damage == "removed":
        catalogue.resolve().unlink()
    elif damage == "no database":
        catalogue.write_text("garbage" * 99)
    elif damage == "unlinked":
        catalogue.unlink()
        (target / "envs/dev.json").unlink()
    else:
        target = tmp_path.rename(tmp_path.with_name(tmp_path.name + " moved"))
    dev = Environment(target, "dev")
    assert dev.publish({"a": results["a1"]})
    assert seen(target) == {"a": "a1"}
    assert [state.number for state in dev.history()] == [1]
    assert not dev.publish({"a": results["a1"]})


def test_pointers_that_cannot_be_read_are_named(
    tmp_path: Path, results: dict[str, Pointer]
) -> None:
    dev = Environment(tmp_path, "dev")
    dev.publish({"a": results["a1"]})
    (tmp_path / "envs/dev.json").write_text("{")
    with pytest.raises(LlmI2iError, match="cannot be read") as raised:
        dev.pointers()
    assert "llmi2i build" in raised.value.fix


KILLER = """
    import json, os, shutil, sys
    from pathlib import Path
    from llm_i2i.store.environment import HISTORY, Environment, Pointer

    # Every file or folder this process opens, makes, renames or removes is a step; the child dies in front of step n.
    STEPS = {"open", "os.rename", "os.remove", "os.symlink", "os.mkdir", "os.rmdir", "os.link", "shutil.rmtree"}
    os.fsync = lambda descriptor: None  # the machine does not die here, only the process
    root, kind = Path(sys.argv[1]), sys.argv[2]
    one, two = {"a": Pointer("1"), "b": Pointer("1")}, {"a": Pointer("2"), "b": Pointer("2")}

    def write_catalogue(self, path, nodes):  # a text in place of a database: much faster, and as good here
        path.write_text("........DUCK" + json.dumps({n: n + p.fingerprint for n, p in nodes.items()}))

    Environment._write_catalogue = write_catalogue

    def seen(target):
        path = (target / "dev.duckdb").resolve()
        return json.loads(path.read_text()[12:]) if path.exists() else {}

    def prepare(target):
        target.mkdir()
        (target / "store").symlink_to(root / "store")
        if kind == "old layout":
            (target / "envs").mkdir()
            write_catalogue(None, target / "dev.duckdb", one)
            nodes = {n: {"fingerprint": p.fingerprint, "sql": ""} for n, p in one.items()}
            (target / "envs/dev.json").write_text(json.dumps({"nodes": nodes}))
        elif kind == "full":  # as many states as are kept: the move also removes one
            for move in range(HISTORY):
                Environment(target, "dev").publish(one | {"a": Pointer(str(move % 2 + 1))})

    def move(target):
        Environment(target, "dev").replace(two, "promote test")

    kills = 0
    prepare(root / "base")
    for n in range(1000):
        target = root / f"target{n}"
        shutil.copytree(root / "base", target, symlinks=True)
        before = seen(target)
        child = os.fork()
        if child == 0:
            left = [n]
            def step(event, args):
                if event in STEPS:
                    if left[0] == 0:
                        os._exit(9)
                    left[0] -= 1
            sys.addaudithook(step)
            move(target)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        dev = Environment(target, "dev")
        held = {node: node + p.fingerprint for node, p in dev.pointers().items()}
        after = {"a": "a2", "b": "b2"}
        assert held in (before, after), (n, held)
        assert seen(target) == held, (n, seen(target), held)
        assert [s.nodes for s in dev.history()][:1] == ([dev.pointers()] if held else [])
        assert len(dev.history()) == len({s.number for s in dev.history()})
        if held == before and before:
            assert dev.history()[0].by != "promote test"
        if n % 2 == 0:
            move(target)  # the same again finishes what was begun
            assert seen(target) == after
        assert n % 2 or not list(target.glob("*.tmp")) + list((target / "envs").rglob("*.tmp")), n
        if code == 0:
            break
        assert code == 9, code
        kills += 1
    print(kills)
"""


@pytest.mark.parametrize("kind", ["first", "full", "old layout"])
def test_a_kill_before_any_step_leaves_the_old_state_or_the_new(
    tmp_path: Path, results: dict[str, Pointer], kind: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLER), str(tmp_path), kind],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 8


def test_what_a_killed_move_left_is_tidied(tmp_path: Path, results: dict[str, Pointer]) -> None:
    dev = Environment(tmp_path, "dev")
    dev.publish({"a": results["a1"]})
    dev._write_state(State(2, "", "build", 0, {"a": results["a2"]}))  # and then the kill
    never = Environment(tmp_path, "never")
    never._write_state(State(1, "", "build", 0, {"a": results["a2"]}))
    never._link()
    for name in ("dev", "never"):
        Environment(tmp_path, name).tidy()
    assert seen(tmp_path) == {"a": "a1"}
    assert sorted(p.name for p in (tmp_path / "envs").rglob("*")) == [
        ".dev.lock", "000001", "catalogue.duckdb", "current", "dev", "dev.json", "pointers.json",
    ]  # fmt: skip
    assert not (tmp_path / "never.duckdb").is_symlink()
