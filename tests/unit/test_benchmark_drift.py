"""`make bench`: ratios beside the committed ones, on made-up records."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.benchmarks import ratios, watch
from tests.benchmarks.drift import Drift, compare, table
from tests.benchmarks.ratios import Benchmark, Ratio, Run, Side, from_json, keep, to_json

ROOT = Path(__file__).parents[2]
TEST = "tests/benchmarks/test_swing.py::test_swing"
QUIET = Run(
    date="2026-11-21T10:00Z", commit="a" * 40, machine="x86_64 Some CPU", cores=2, python="3.11.9",
    libraries={"duckdb": "2.0.0", "numba": "0.68.1"}, load=(0.2, 1.1), others=0.05, seconds=30.0,
)  # fmt: skip
LOADED = dataclasses.replace(QUIET, load=(5.1, 7.2), others=1.6)


def swing(
    ours: float = 0.30, reference: float = 0.20, run: Run = QUIET, aim: float | None = None
) -> dict[str, Benchmark]:
    """One ratio whose repeats spread by 2% to both sides."""
    sides = [Side.of(what, [v * 0.98, v, v * 1.02]) for what, v in (("SQL", ours), ("numba", reference))]  # fmt: skip
    ratio = Ratio.of("SQL / numba", *sides, aim=aim)
    return {"swing": Benchmark("swing", TEST, run, (ratio,), ("llm_i2i/engine",))}


def commits(run: Run, paths: object) -> list[str]:
    return [f"abc1234 perf: something in {paths} since {run.commit[:3]}"]


def drift(
    before: dict[str, Benchmark], now: dict[str, Benchmark], how: str = "passed"
) -> tuple[Drift, str]:
    (found,) = compare(before, now, {TEST: how}, commits)
    return found, "\n".join(found.why)


def test_a_change_within_noise_is_no_drift() -> None:
    found, why = drift(swing(), swing(ours=0.33))
    assert (found.verdict, found.fails, why) == ("same", False, "")
    assert found.change == pytest.approx(0.10)


def test_ours_that_got_slower_fails_and_names_the_commits() -> None:
    found, why = drift(swing(), swing(ours=0.45))
    assert found.verdict == "worse"
    assert found.fails
    assert "SQL rose (0.3 -> 0.45 CPU s, +50%); numba stayed (0.2 -> 0.2 CPU s, +0%)" in why
    assert "ours changed: look at these since aaaaaaa:" in why
    assert "abc1234 perf: something in ('llm_i2i/engine',) since aaa" in why


def test_no_commit_to_blame_is_said() -> None:
    (found,) = compare(swing(), swing(ours=0.45), {TEST: "passed"}, lambda run, paths: [])
    assert "no commit since aaaaaaa touches what it measures" in found.why[-1]


def test_a_reference_that_got_faster_is_named_and_no_commit_is_blamed() -> None:
    found, why = drift(swing(), swing(reference=0.12))
    assert found.verdict == "worse"
    assert "SQL stayed (0.3 -> 0.3 CPU s, +0%); numba fell (0.2 -> 0.12 CPU s, -40%)" in why
    assert "ours did not change" in why
    assert "abc1234" not in why


def test_a_slower_machine_moves_both_sides() -> None:
    found, why = drift(swing(), swing(ours=0.60, reference=0.40))
    assert found.verdict == "same"
    found, why = drift(swing(), swing(ours=0.60, reference=0.30))
    assert "both moved the same way" in why


def test_a_version_that_changed_is_named() -> None:
    newer = dataclasses.replace(QUIET, libraries={"duckdb": "2.1.0", "numba": "0.68.1"})
    _, why = drift(swing(), swing(ours=0.45, run=newer))
    assert "version of duckdb: 2.0.0 -> 2.1.0" in why
    assert "numba:" not in why
    _, why = drift(swing(), swing(reference=0.12, run=newer))
    assert "ours did not change" not in why


def test_under_load_drift_alone_fails_nothing_and_says_so() -> None:
    found, why = drift(swing(), swing(ours=0.45, run=LOADED))
    assert (found.verdict, found.fails) == ("worse under load", False)
    assert "taken while others used 1.6 of 2 cores (load 5.1 at the start, 7.2 at the end)" in why


def test_a_missed_aim_fails_but_under_load_only_where_it_was_missed_before() -> None:
    met, missed = swing(aim=1.6), swing(ours=0.50, aim=1.6)
    found, why = drift(met, missed)
    assert (found.verdict, found.fails) == ("aim missed", True)
    assert "the aim is at most 1.6" in why
    assert drift(missed, missed)[0].verdict == "aim missed"
    loaded = swing(ours=0.50, aim=1.6, run=LOADED)
    assert drift(met, loaded)[0].verdict == "aim missed under load"
    assert drift(missed, loaded)[0].fails
    assert not drift({}, loaded)[0].fails
    assert drift({}, missed)[0].fails


def test_higher_may_be_better() -> None:
    def rate(value: float) -> dict[str, Benchmark]:
        side = Side("ours", value, "requests/s")
        ratio = Ratio.of("peak", side, better="higher", aim=1000)
        return {"serving": Benchmark("serving", TEST, QUIET, (ratio,))}

    assert drift(rate(2000), rate(1300))[0].verdict == "worse"
    assert drift(rate(2000), rate(3000))[0].verdict == "better"
    assert drift(rate(2000), rate(900))[0].verdict == "aim missed"


def test_repeats_that_spread_wider_than_the_tolerance_hide_a_change() -> None:
    wide = Side.of("SQL", [0.30, 0.40, 0.60])
    ratio = Ratio.of("SQL / numba", wide, Side.of("numba", [0.20, 0.20, 0.20]))
    now = {"swing": Benchmark("swing", TEST, QUIET, (ratio,))}
    assert drift(swing(), now)[0].verdict == "same"


def test_the_first_run_is_new() -> None:
    found, why = drift({}, swing())
    assert (found.verdict, found.change, why) == ("new", None, "")


def test_a_figure_that_is_new_beside_known_ones() -> None:
    now = swing()["swing"]
    more = dataclasses.replace(now.ratios[0], name="SQL / scipy")
    now = dataclasses.replace(now, ratios=(*now.ratios, more))
    verdicts = [d.verdict for d in compare(swing(), {"swing": now}, {TEST: "passed"}, commits)]
    assert verdicts == ["same", "new"]


def test_a_benchmark_that_was_asked_for_and_did_not_measure() -> None:
    found, why = drift(swing(), {}, "skipped: needs the public logs")
    assert (found.verdict, found.fails) == ("not measured", False)
    assert why == "its test skipped: needs the public logs"


def test_what_was_not_asked_for_is_not_compared() -> None:
    assert compare(swing(), {}, {"tests/benchmarks/test_other.py::test": "passed"}, commits) == []


def test_another_machine_compares_ratios_but_no_seconds() -> None:
    other = dataclasses.replace(QUIET, machine="aarch64 Other CPU", cores=8)

    def alone(run: Run, value: float) -> dict[str, Benchmark]:
        return {"job": Benchmark("job", TEST, run, (Ratio.of("CPU time", Side("job", value)),))}

    found, why = drift(alone(QUIET, 100), alone(other, 300))
    assert (found.verdict, found.fails) == ("not comparable", False)
    assert "machine: x86_64 Some CPU -> aarch64 Other CPU\ncores: 2 -> 8" in why
    assert drift(alone(QUIET, 100), alone(QUIET, 300))[0].verdict == "worse"
    found, why = drift(swing(), swing(ours=0.45, run=other))
    assert found.verdict == "worse"
    assert "seconds alone do not tell which side moved" in why


def test_what_is_not_recorded_of_the_committed_run_is_said() -> None:
    old = dataclasses.replace(QUIET, machine="", python="", load=None, others=None, note="from swing.md")  # fmt: skip
    _, why = drift(swing(run=old), swing(ours=0.45))
    assert "how busy the machine was for the committed figure is not recorded: from swing.md" in why
    assert "not recorded with the committed figure: machine, Python" in why


def test_the_table_has_a_row_a_figure_and_how_the_run_went() -> None:
    now = swing(ours=0.45, aim=1.5, run=LOADED)
    text = table(compare(swing(aim=1.5), now, {TEST: "passed"}, commits), {"swing": LOADED})
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert "benchmark figure committed now change aim verdict" in rows[0]
    assert rows[2] == "swing SQL / numba 1.5 2.25 +50% <= 1.5 aim missed under load"
    assert "NOT QUIET: not to be committed" in text
    assert rows[-1] == "0 worse, 0 aim missed"


def test_the_file_round_trips_and_keeps_other_benchmarks(tmp_path: Path) -> None:
    file = tmp_path / "ratios.json"
    old = swing()["swing"]
    keep(dataclasses.replace(old, name="other"), file)
    keep(old, file)
    keep(swing(ours=0.45)["swing"], file)
    found = from_json(file.read_text())
    assert found == {"other": dataclasses.replace(old, name="other"), **swing(ours=0.45)}
    assert to_json(found) == file.read_text()
    assert from_json("") == {}
    with pytest.raises(ValueError, match="schema 2"):
        from_json(json.dumps({"schema": 2, "benchmarks": {}}))


def test_the_committed_file_is_read() -> None:
    found = from_json(ratios.FILE.read_text(encoding="utf-8"))
    assert {"swing", "startup", "tools", "serving_http", "serving_merge", "item_ids"} <= set(found)
    for benchmark in found.values():
        file, _, name = benchmark.test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")
        assert len({r.name for r in benchmark.ratios}) == len(benchmark.ratios)


def test_who_else_used_the_cores(tmp_path: Path) -> None:
    tick = os.sysconf("SC_CLK_TCK")
    stat = tmp_path / "stat"
    stat.write_text(f"cpu  {tick} {tick} {tick} 99 99 0 {tick} {tick} 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n")  # fmt: skip
    assert watch.busy_seconds(stat) == 5.0
    assert watch.busy_seconds(tmp_path / "none") is None
    run = watch.Watch().stop()
    assert run.libraries["duckdb"].startswith("2.")
    assert run.quiet is None or run.others >= 0


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(watch, "ROOT", tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    for number, name in enumerate(("ours", "other", "ours")):
        (tmp_path / name).write_text(str(number))
        subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", f"{name} {number}"],
            cwd=tmp_path, check=True,
        )  # fmt: skip
    return tmp_path


def test_commits_that_touch_what_was_measured(repository: Path) -> None:
    first = dataclasses.replace(QUIET, commit=watch.git("rev-list", "--max-parents=0", "HEAD").strip())  # fmt: skip
    assert [line.split(" ", 1)[1] for line in watch.commits_since(first, ["ours"])] == ["ours 2"]
    gone = dataclasses.replace(QUIET, commit="f" * 40, date="2001-01-01T00:00Z")
    assert len(watch.commits_since(gone, ["ours"])) == 2
    (repository / "ours").write_text("new")
    assert watch.commits_since(first, ["ours"])[0] == "not committed: ours"
    assert watch.changed_files(["other"]) == []


def test_a_run_of_one_benchmark_writes_compares_and_fails(tmp_path: Path) -> None:
    """The hooks, in a copy of tests/benchmarks with one small benchmark: first run, an equal one, a worse one, a missed aim."""
    folder = tmp_path / "tests/benchmarks"
    folder.mkdir(parents=True)
    for name in ("conftest", "drift", "ratios", "report", "watch"):
        (folder / f"{name}.py").write_text((ROOT / f"tests/benchmarks/{name}.py").read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\naddopts = --import-mode=importlib\nmarkers = bench: slow\n")  # fmt: skip
    (folder / "test_small.py").write_text(
        textwrap.dedent("""
        import os
        import pytest
        from tests.benchmarks.ratios import Ratio, Side
        from tests.benchmarks.report import write_report

        @pytest.mark.bench
        def test_small():
            ratio = Ratio.of("a / b", Side("a", float(os.environ["OURS"])), Side("b", 1.0), aim=3.0)
            write_report("small", "Small", ("a",), [(1,)], "make bench", [ratio])
        """)
    )

    def run(ours: float) -> tuple[int, str]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
        environment = {**os.environ, "OURS": str(ours), "PYTHONPATH": str(ROOT), "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}  # fmt: skip
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)  # fmt: skip
        return done.returncode, done.stdout

    first, equal, missed = run(1.0), run(1.0), run(3.5)
    assert first[0] == equal[0] == 0
    assert "new" in first[1]
    assert "same" in equal[1]
    assert "aim missed" in missed[1]
    kept = from_json((tmp_path / "project/docs/benchmarks/ratios.json").read_text())["small"]
    assert kept.ratios[0].value == 3.5
    assert missed[0] == (0 if kept.run.quiet is False else 1)
