"""Promotion, rollback, difference, garbage, calls and export on a small project."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest
from click.testing import CliRunner

from llm_i2i.cli.main import cli
from llm_i2i.errors import LlmI2iError, ProjectError
from llm_i2i.runner.build.events import NodeOutcome, Reporter
from llm_i2i.runner.inspection.calls import Filter, forget_calls, list_calls
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject

Build = Callable[..., dict[str, str]]


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes die in these tests, machines do not."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


class Said(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def llmi2i(shop: ShopProject, *arguments: str) -> Said:
    """The command, in this process, without a terminal."""
    result = CliRunner().invoke(cli, [*arguments, "--project-dir", str(shop.dir)])
    if isinstance(result.exception, LlmI2iError):
        return Said(result.exception.exit_code, result.stdout, result.exception.render())
    assert isinstance(result.exception, (SystemExit, type(None))), result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


def change(shop: ShopProject, threshold: float) -> Project:
    """The project with another threshold, built in dev."""
    text = (shop.dir / "project/project.yml").read_text()
    before = text.partition("threshold: ")[2].partition(",")[0]
    shop.replace("project/project.yml", f"threshold: {before}", f"threshold: {threshold}")
    project = Project.load(shop.dir)
    assert project.build().success
    return project


def kept(project: Project, env: str) -> int:
    return int(project.in_environment(env).query("select count(*) from kept").fetchall()[0][0])


# -- promote and rollback ----------------------------------------------------------------------------------------------


def test_promote_moves_what_changed_and_rollback_takes_it_back(shop: ShopProject) -> None:
    project = change(shop, 0.5)
    first = project.promote("dev", "prod")
    assert [c.change for c in first.changes] == ["new"] * 5
    assert (first.state, first.moved, first.checked) == (1, True, 6)
    project = change(shop, 0.2)
    before, after = kept(project, "prod"), kept(project, "dev")
    assert before < after
    planned = project.promote("dev", "prod", dry_run=True)
    assert not planned.moved
    assert kept(project, "prod") == before
    second = project.promote("dev", "prod")
    assert [(c.node, c.reason) for c in second.changes] == [("kept", "var threshold changed")]
    assert second.unchanged == 4
    assert kept(project, "prod") == after
    assert not project.promote("dev", "prod").moved
    back = project.rollback("prod")
    assert (back.restores, back.state) == (1, 3)
    assert kept(project, "prod") == before
    with pytest.raises(ProjectError, match="no state before"):
        project.rollback("prod")
    assert project.rollback("prod", 2).moved
    assert kept(project, "prod") == after
    assert kept(project, "dev") == after


def test_rollback_again_and_again_goes_back_further(shop: ShopProject) -> None:
    for threshold in (0.8, 0.5, 0.2):
        project = change(shop, threshold)
    numbers = [project.rollback("dev").restores for _ in range(2)]
    assert numbers == [2, 1]
    history = project.environment.history()
    assert [(s.number, s.origin) for s in history] == [(5, 1), (4, 2), (3, 3), (2, 2), (1, 1)]
    assert history[0].nodes == history[-1].nodes
    assert project.rollback("dev", history[0].at, dry_run=True).restores == 5
    with pytest.raises(ProjectError, match="neither the number of a state nor a time"):
        project.rollback("dev", "yesterday")
    with pytest.raises(ProjectError, match="no state of"):
        project.rollback("dev", "2001-01-01")


def test_promote_refuses_what_is_stale_incomplete_or_broken(shop: ShopProject) -> None:
    change(shop, 0.5)
    shop.replace("project/project.yml", "threshold: 0.5", "threshold: 0.2")
    shop.write("models/more.sql", "select 1 as one")
    project = Project.load(shop.dir)
    with pytest.raises(LlmI2iError, match="not what the project says") as raised:
        project.promote("dev", "prod")
    assert "1 node of the project is not in it: more" in raised.value.found
    assert "1 node is stale: kept (var threshold changed)" in raised.value.found
    assert "--force" in raised.value.fix
    assert project.other_environment("prod").pointers() == {}
    assert project.promote("dev", "prod", force=True).moved
    assert project.build().success
    data = project.store.data_path("kept", project.environment.pointers()["kept"].fingerprint)
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(LlmI2iError, match="missing or damaged"):
        project.promote("dev", "prod", force=True)


def test_promote_looks_at_data_tests_that_did_not_run(shop: ShopProject) -> None:
    project = change(shop, 0.2)
    shop.replace("models/models.yml", "max_value: 1}", "max_value: 0.5}")
    project = Project.load(shop.dir)
    with pytest.raises(LlmI2iError, match="data tests fail") as raised:
        project.promote("dev", "prod")
    assert "accepted_range_kept_score" in raised.value.found
    assert project.promote("dev", "prod", force=True).moved


def test_names_that_are_no_environment(shop: ShopProject, build: Build) -> None:
    build()
    wrong = llmi2i(shop, "promote", "dve", "prod")
    assert wrong.returncode == 2
    assert "did you mean 'dev'?" in wrong.stderr
    project = Project.load(shop.dir)
    with pytest.raises(ProjectError, match="itself"):
        project.promote("dev", "dev")
    with pytest.raises(ProjectError, match="is not a name"):
        project.promote("dev", "a/b")


# -- diff --------------------------------------------------------------------------------------------------------------


def test_diff_says_what_rows_and_columns_differ(shop: ShopProject) -> None:
    shop.replace("models/models.yml", "- name: kept\n", "- name: kept\n    grain: [user_id]\n")
    change(shop, 0.5).promote("dev", "prod")
    shop.write(
        "models/kept.sql",
        """
        select
            user_id,
            case when score > 0.6 then 0.95 else score end as score,
            'x' as extra
        from {{ ref('scored') }}
        where score >= {{ var('threshold') }} and user_id <> 'u1'
        """,
    )
    shop.write("models/more.sql", "select 1 as one")
    project = change(shop, 0.2)
    found = project.diff("dev", "prod")
    assert (found.only_here, found.only_there) == (["more"], [])
    assert found.same == ["events", "trained", "prompts", "scored"]
    (table,) = found.tables
    scores = dict(project.query("select user_id, score from scored").fetchall())
    before = {u: s for u, s in scores.items() if s >= 0.5}
    after = {u: 0.95 if s > 0.6 else s for u, s in scores.items() if s >= 0.2 and u != "u1"}
    assert (table.rows_here, table.rows_there) == (len(after), len(before))
    assert table.only_here == len(after.keys() - before.keys()) > 0
    assert table.only_there == len(before.keys() - after.keys())
    changed = [u for u in before if u in after and before[u] != after[u]]
    assert table.changed == len(changed) > 0
    assert [(v.column, v.rows) for v in table.values] == [("score", len(changed))]
    assert table.values[0].largest == pytest.approx(max(abs(before[u] - 0.95) for u in changed))
    first = min(changed)
    assert table.samples["changed"][0] == {"user_id": first, "score": [before[first], 0.95]}
    assert table.columns_here == [("extra", "VARCHAR")]
    assert not table.is_equal
    shown = llmi2i(shop, "diff", "dev", "prod", "-s", "kept")
    assert "extra VARCHAR only in dev" in shown.stdout
    assert all(len(line) <= 80 for line in shown.stdout.splitlines()), shown.stdout
    raw = json.loads(llmi2i(shop, "diff", "dev", "prod", "--output", "json").stdout)
    assert raw["tables"][0]["changed"] == len(changed)


def test_diff_without_a_usable_grain_compares_whole_rows(shop: ShopProject) -> None:
    shop.write("models/kept.sql", "select 1 as a, unnest([1, 1, 2]) as b")
    shop.write("models/models.yml", "models: []")
    project = Project.load(shop.dir)
    assert project.build().success
    project.promote("dev", "prod")
    shop.write("models/kept.sql", "select 1 as a, unnest([1, 2, 2, 3]) as b")
    project = Project.load(shop.dir)
    assert project.build().success
    (table,) = project.diff("dev", "prod").tables
    assert (table.only_here, table.only_there, table.changed) == (2, 1, 0)
    assert "no grain is declared" in table.note
    assert table.samples["only_there"] == [{"a": 1, "b": 1}]


def test_tables_built_again_to_the_same_rows_are_equal(shop: ShopProject, build: Build) -> None:
    build()
    project = Project.load(shop.dir)
    project.promote("dev", "prod")
    project.build(full_refresh=True)
    found = project.diff("dev", "prod")
    assert {t.table for t in found.tables} >= {"events", "prompts", "kept"}
    assert all(t.is_equal for t in found.tables if t.table in ("events", "prompts"))


# -- gc ----------------------------------------------------------------------------------------------------------------


def results(shop: ShopProject, node: str) -> int:
    return len(list((shop.dir / "target/store" / node).glob("*")))


def test_gc_keeps_what_environments_and_their_history_point_to(shop: ShopProject) -> None:
    for threshold in (0.1, 0.2, 0.3):
        project = change(shop, threshold)
    assert project.gc(dry_run=False).is_empty
    assert results(shop, "kept") == 3
    planned = project.gc(dry_run=True, keep_states=2)
    assert ([g.name.split()[0] for g in planned.garbage], planned.states) == (["kept"], {"dev": 1})
    assert planned.bytes > 100
    assert results(shop, "kept") == 3
    done = project.gc(dry_run=False, keep_states=2)
    assert (done.removed, done.bytes) == (True, planned.bytes)
    assert results(shop, "kept") == 2
    assert project.rollback("dev").moved  # to the state before, which is kept
    project.promote("dev", "prod", force=True)
    assert project.gc(dry_run=False, drop=("dev",)).environments == ["dev"]
    assert results(shop, "kept") == 1
    assert kept(project, "prod")
    assert project.gc(drop=("de*",)).environments == []  # so that a killed command can be run again
    with pytest.raises(ProjectError, match="no environment 'dve'"):
        project.gc(drop=("dve",))


def test_gc_asks_before_and_without_a_terminal_only_says(shop: ShopProject) -> None:
    for threshold in (0.1, 0.2):
        change(shop, threshold)
    said = llmi2i(shop, "gc", "--keep-states", "1")
    assert said.returncode == 0
    assert "Nothing was removed. To remove it: llmi2i gc --yes" in said.stderr
    assert results(shop, "kept") == 2
    assert "Removed" in llmi2i(shop, "gc", "--keep-states", "1", "--yes").stderr
    assert results(shop, "kept") == 1
    never = shop.write("target/envs/never/000001/pointers.json", "{}")  # by a killed first build
    llmi2i(shop, "gc")
    assert not never.exists()


def test_gc_leaves_a_running_build_and_an_unfinished_one_alone(shop: ShopProject) -> None:
    change(shop, 0.5)
    project = Project.load(shop.dir, vars={"planet": "Mars"})
    seen = []

    class Collector(Reporter):
        def node_finished(self, index: int, total: int, outcome: NodeOutcome) -> None:
            found = project.gc(dry_run=False, calls=True, unfinished=True)
            seen.append([g.name for g in found.garbage])

    assert project.build(reporter=Collector()).success
    assert seen == [[]] * 5
    assert not list((shop.dir / "target/builds").glob("*"))
    # one that fails keeps what it made, until it is said otherwise or a build of the same nodes starts
    shop.replace("models/models.yml", "max_value: 1}", "max_value: 0.5}")
    project = Project.load(shop.dir, vars={"planet": "Venus"})
    assert not project.build().success
    assert project.gc(dry_run=False).is_empty
    assert len(list((shop.dir / "target/builds").glob("*"))) == 1
    names = {g.name.split()[0] for g in project.gc(dry_run=False, unfinished=True).garbage}
    assert names == {"prompts", "scored", "kept"}
    assert not list((shop.dir / "target/builds").glob("*"))


KILLED = """
    import os, sys
    from llm_i2i.runner.project import Project

    STEPS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"}
    project = Project.load(sys.argv[1])
    project.gc(dry_run=True)
    left = [int(sys.argv[2])]
    def step(event, args):
        if event in STEPS:
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1
    sys.addaudithook(step)
    project.gc(dry_run=False, keep_states=1, calls=True)
"""


@pytest.mark.parametrize("step", [1, 6])
def test_a_killed_gc_leaves_what_is_kept_whole(shop: ShopProject, step: int) -> None:
    for threshold in (0.1, 0.2, 0.3):
        project = change(shop, threshold)
    before = kept(project, "dev")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(shop.dir), str(step)], check=False
    )
    assert done.returncode == 9
    assert kept(project, "dev") == before
    project.gc(dry_run=False, keep_states=1)
    assert results(shop, "kept") == 1
    assert not list((shop.dir / "target/store/.tmp").glob("*"))
    assert {n.status for n in project.build().nodes} == {"REUSED"}


# -- calls -------------------------------------------------------------------------------------------------------------


def test_calls_say_who_made_them_and_what_they_cost(shop: ShopProject) -> None:
    project = change(shop, 0.5)
    (found,) = list_calls(project)
    assert (found.udf, found.node, found.calls, found.in_use) == ("score", "scored", 20, True)
    assert (found.tokens, found.token_unit, found.measured) == (80, "words", 20)
    assert found.model.startswith("trained/")
    assert len(found.segments) == 3
    shown = json.loads(llmi2i(shop, "calls", "inspect", "--output", "json", "--limit", "-1").stdout)
    assert {row["prompt"]: row["result"] for row in shown} == dict(
        project.query("select prompt, score from scored").fetchall()
    )
    listed = llmi2i(shop, "calls", "list").stdout.splitlines()
    assert listed[0].split() == ["udf,", "node", "group", "calls", "tokens", "time", "size", "used"]
    assert listed[2] == "score", "a UDF has a line of its own, so that no name is cut"
    assert listed[3].split()[0] == "scored"
    priced = llmi2i(shop, "calls", "cost", "--price", "1").stdout.splitlines()
    assert priced[2:4] == ["score", next(line for line in priced if "scored" in line)]
    assert priced[-1].split()[:2] == ["total", "20"]
    cost = json.loads(llmi2i(shop, "calls", "cost", "--output", "json").stdout)
    assert cost[0]["tokens"] == 80
    with pytest.raises(ProjectError, match="no call matches") as raised:
        list_calls(project, Filter(udf="scor"))
    assert "'score'" in raised.value.fix


def test_calls_in_use_are_never_garbage(shop: ShopProject) -> None:
    change(shop, 0.5)
    project = Project.load(shop.dir, vars={"planet": "Mars"})
    project.build()  # other prompts of the same model: the same group
    shop.replace("udfs/functions.py", "0xFFFFFF", "0xFFFFFE")
    project = Project.load(shop.dir)
    project.build()
    assert len(list_calls(project)) == 2
    assert not [g for g in project.gc(calls=True).garbage if g.kind == "calls"]
    found = project.gc(dry_run=False, calls=True, keep_states=1)
    assert [g.name.split()[0] for g in found.garbage if g.kind == "calls"] == ["score"]
    (left,) = list_calls(project)
    assert left.in_use
    shop.calls()
    assert project.build(full_refresh=True, select="kept").success
    assert shop.calls() == []


def test_forgotten_calls_are_made_again(shop: ShopProject) -> None:
    project = change(shop, 0.5)
    shop.calls()
    refused = llmi2i(shop, "calls", "forget", "--udf", "score")
    assert refused.returncode == 2
    assert "pass --yes" in refused.stderr
    assert llmi2i(shop, "calls", "forget", "--yes").returncode == 2
    worst = project.query("select prompt from scored where score < 0.2").fetchall()
    done = llmi2i(shop, "calls", "forget", "--where", "result < 0.2", "--yes")
    assert f"Forgot {len(worst)} calls" in done.stderr
    assert list_calls(project)[0].calls == 20 - len(worst)
    project.build(full_refresh=True, select="scored kept")
    assert sorted(shop.calls()) == sorted(prompt for (prompt,) in worst)
    forget_calls(project, Filter(node="scored"), dry_run=False)
    assert list_calls(project) == []
    project.build(full_refresh=True, select="scored")
    wrong = llmi2i(shop, "calls", "inspect", "--where", "nonsense")
    assert wrong.returncode == 2
    assert "nonsense" in wrong.stderr


def test_calls_are_exported_one_row_a_call(shop: ShopProject, tmp_path: Path) -> None:
    project = change(shop, 0.5)
    file = tmp_path / "calls.parquet"
    assert llmi2i(shop, "calls", "export", str(file)).stderr.startswith("Wrote 20 calls")
    rows = duckdb.sql(
        f"select json_extract_string(arguments, '$.prompt'), cast(result as double), node from '{file}'"
    ).fetchall()
    assert {p: r for p, r, _ in rows} == dict(
        project.query("select prompt, score from scored").fetchall()
    )
    assert {node for *_, node in rows} == {"scored"}


# -- export ------------------------------------------------------------------------------------------------------------


def test_export_writes_each_format(shop: ShopProject, build: Build, tmp_path: Path) -> None:
    build()
    project = Project.load(shop.dir)
    relation = project.query("from kept order by 1")  # stays open
    folder = tmp_path / "exported"
    folder.mkdir()
    expected = relation.fetchall()
    names = [f"kept.{s}" for s in ("parquet", "csv", "csv.gz", "tsv", "json", "jsonl", "duckdb")]
    for name in names:
        file = folder / name
        assert project.export("kept", file) == len(expected)
        if name.endswith("duckdb"):
            with duckdb.connect(str(file), read_only=True) as client:
                found = client.sql("from kept order by 1").fetchall()
        else:
            read = f"read_json('{file}')" if "json" in name else f"'{file}'"
            found = duckdb.sql(f"from {read} order by 1").fetchall()
        assert [u for u, _ in found] == [u for u, _ in expected], name
        assert [s for _, s in found] == pytest.approx([s for _, s in expected]), name
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)


def test_export_takes_its_file_as_an_option_too(
    shop: ShopProject, build: Build, tmp_path: Path
) -> None:
    build()
    assert shop.run("export", "kept", "--to", str(tmp_path / "kept.csv")).returncode == 0
    assert (tmp_path / "kept.csv").exists()
    for arguments in ((), (str(tmp_path / "a.csv"), "--to", str(tmp_path / "b.csv"))):
        done = shop.run("export", "kept", *arguments)
        assert done.returncode != 0
        assert "export takes one file" in done.stderr


def test_export_replaces_nothing_by_itself(shop: ShopProject, build: Build, tmp_path: Path) -> None:
    build()
    project = Project.load(shop.dir)
    file = tmp_path / "kept.csv"
    file.write_text("mine")
    with pytest.raises(ProjectError, match="there already"):
        project.export("kept", file)
    assert file.read_text() == "mine"
    assert project.export("kept", file, force=True)
    assert file.read_text() != "mine"
    for table, path, what in (
        ("kpet", "a.csv", "no table 'kpet'"),
        ("kept", "a.xlsx", "format"),
        ("kept", "no/a.csv", "no such folder"),
        ("kept", "target/dev.duckdb", "folder of results"),
    ):
        with pytest.raises(ProjectError, match=what):
            project.export(table, shop.dir / path, force=True)


def test_an_interrupted_export_leaves_the_old_file(
    shop: ShopProject, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build()
    file = tmp_path / "kept.csv"
    file.write_text("mine")

    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("llm_i2i.runner.environments.export.sync_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Project.load(shop.dir).export("kept", file, force=True)
    assert file.read_text() == "mine"
    assert [p.name for p in tmp_path.glob("*kept.csv*")] == ["kept.csv"]
