"""The reference project end to end on a made-up log with awkward ids and the fake language model."""

from __future__ import annotations

import csv
import dataclasses
import random
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llm_i2i.cli.main import cli
from llm_i2i.plan.step import PlanStep
from llm_i2i.runner.build.context import BuildContext
from llm_i2i.runner.build.data_tests import run_checks
from llm_i2i.runner.project import Project
from tests.project.spark_equality import build_context, difference_on, spark_engine
from tests.project.test_readme import COMMANDS as README_COMMANDS
from tests.research_data import DATA, HAS_DATA

ROOT = Path(__file__).parents[2]


def write_log(folder: Path, *, users: int = 150, items: int = 70, seed: int = 1) -> dict[str, Any]:
    """A log with quotes, spaces and umlauts in its ids, repeated pairs and users with one event; vars to read it."""
    chance = random.Random(seed)
    with (folder / "log.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "item_id", "timestamp"])
        for user in range(users):
            start = chance.randrange(items)
            for event in range(chance.choice([1, 2, 3, 5, 6, 8])):
                item = (start + int(chance.expovariate(0.3))) % items
                rows.writerow(
                    [f"o'user {user} é", f'it "{item}" ü', f"2024-01-{event + 1:02d} 10:00:00"]
                )
    with (folder / "items.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item_id", "title", "category"])
        for item in range(items):
            rows.writerow(
                [
                    f'it "{item}" ü',
                    f"Kite {item % 9} of the {item % 4} winds",
                    f"Toys > Kind {item % 5}",
                ]
            )
    return {
        "interactions": str(folder / "log.csv"),
        "items": str(folder / "items.csv"),
        "language_model": "fake",
    }


def build(folder: Path, vars: dict[str, Any], select: str = "", env: str = "dev") -> Project:
    project = Project.load(ROOT, vars=vars, target_path=folder / "target", env=env)
    result = project.build(select=select)
    failed = [c.check.name for c in result.checks if c.status in ("FAIL", "ERROR")]
    errors = [f"{n.step.node.name}: {n.error}" for n in result.nodes if n.status == "ERROR"]
    assert not failed + errors
    assert result.published
    return project


@pytest.fixture(scope="module")
def shop(reference_shop: tuple[Path, dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
    return reference_shop


def test_public_tables_have_their_columns(shop: tuple[Path, dict[str, Any]]) -> None:
    project = Project.load(ROOT, vars=shop[1], target_path=shop[0] / "target")
    public = {
        "interactions": "user_id item_id position timestamp",
        "interactions_train": "user_id item_id position",
        "items": "item_id title n_interactions is_long_tail",
        "targets": "user_id split item_id",
        "generated_interactions": "user_id item_id rank log_probability",
        "scored_interactions": "user_id item_id rank log_probability confidence margin label",
        "synthetic_interactions": "user_id item_id confidence generator_call discriminator_call generator_checkpoint discriminator_checkpoint",
        "fused_interactions": "user_id item_id origin weight",
        "swing": "item_id related_item_id score",
        "swing_augmented": "item_id related_item_id score",
        "i2i_index": "trigger_item_id related_item_id score rank",
        "i2i_index_baseline": "trigger_item_id related_item_id score rank",
        "ranking_metrics": "recommender augmentation segment split metric k value n_users",
        "paired_differences": "recommender augmentation against split segment metric k difference standard_error lower upper relative_gain",
        "discriminator_auc": "score split segment auc",
        "discriminator_calibration": "split decile mean_confidence share_of_hits",
    }
    for table, columns in public.items():
        found, rows = project.rows(f"from {table}", 1)
        assert set(columns.split()) <= set(found), table
        assert rows, table


def test_a_second_build_makes_no_call(shop: tuple[Path, dict[str, Any]]) -> None:
    result = Project.load(ROOT, vars=shop[1], target_path=shop[0] / "target").build()
    assert {n.status for n in result.nodes} == {"REUSED", "VIEW"}


def test_threshold_costs_no_call(shop: tuple[Path, dict[str, Any]]) -> None:
    project = Project.load(
        ROOT, vars={**shop[1], "min_confidence": 0.8}, target_path=shop[0] / "target", env="strict"
    )
    result = project.build()
    built = {n.step.node.name for n in result.nodes if n.status == "OK"}
    assert {"synthetic_interactions", "fused_interactions", "i2i_index", "ranking_metrics"} <= built
    assert not {"scored_interactions", "generator", "swing", "i2i_index_baseline"} & built
    assert not any(n.calls for n in result.nodes)


def test_segments_add_up(shop: tuple[Path, dict[str, Any]]) -> None:
    project = Project.load(ROOT, vars=shop[1], target_path=shop[0] / "target")
    _, rows = project.rows(
        """
        select recommender, augmentation, split, metric, k,
            sum(value * n_users) filter (segment in ('long_tail', 'other')) / sum(n_users) filter (segment in ('long_tail', 'other')) as parts,
            max(value) filter (segment = 'all') as whole
        from ranking_metrics group by all having abs(parts - whole) > 1e-9
        """
    )
    assert rows == []


@pytest.mark.parametrize(
    "changes",
    [
        {"fusion": "append", "recommender": "swing"},
        {"protocol": "paper"},
        pytest.param({"protocol": "standard_val"}, marks=pytest.mark.slow),
        pytest.param({"protocol": "sampled99", "swing_preset": "pai_ext"}, marks=pytest.mark.slow),
        pytest.param(
            {"protocol": "global_time", "train_before": "2024-01-04", "query_before": "2024-01-06"},
            marks=pytest.mark.slow,
        ),
        {"discriminator": "history", "min_confidence": 0.5, "negative_sampler": "mixture"},
        {"filter_real": "drop_below", "filter_folds": 2, "near_column": "item_id"},
        pytest.param({"items": None}, marks=pytest.mark.slow),
    ],
)
def test_other_settings_build_and_pass_their_data_tests(
    shop: tuple[Path, dict[str, Any]], changes: dict[str, Any]
) -> None:
    # an environment of its own: the shop is one for all tests of a worker, and others read what it publishes.
    build(shop[0], {**shop[1], **changes}, env="other")


def test_a_log_without_item_text_or_timestamps(tmp_path: Path) -> None:
    vars = write_log(tmp_path, users=40)
    text = (
        (tmp_path / "log.csv")
        .read_text()
        .replace("timestamp", "position")
        .replace(" 10:00:00", "")
        .replace("2024-01-", "")
    )
    (tmp_path / "log.csv").write_text(text)
    (tmp_path / "items.csv").write_text('item_id\n"it ""1"" ü"\n')
    project = build(tmp_path, {**vars, "order_column": "position"}, select="+i2i_index")
    assert project.rows("select count(*) from i2i_index")[1][0][0] > 0


def test_commands_of_the_readme_run(
    shop: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As written, but for the files of the log, and with the part of the build that needs no language model."""
    monkeypatch.chdir(tmp_path)
    target, vars = shop
    commands = [shlex.split(c)[1:] for c in README_COMMANDS if c.startswith("llmi2i ")]
    assert [words[0] for words in commands] == ["init", "build", "query", "query"]
    for words in commands:
        if words[0] == "init":
            words = words[: words.index("&&")]
        elif words[0] == "build":
            monkeypatch.chdir(tmp_path / "shop")
            given = words[-1].replace("my/log/*.parquet", vars["interactions"])
            words = [*words[:-1], given.replace("my/items.csv", vars["items"]), "-s", "+items"]  # fmt: skip
        else:
            words = [*words, "--project-dir", str(ROOT), "--target-path", str(target / "target")]
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0, done.output


PAPER = {  # Swing without augmentation under the protocol `paper`: R@5 R@10 N@5 N@10 (method.md 5.2)
    "toys_and_games": (0.0474, 0.0596, 0.0327, 0.0367, 2310),
    "beauty": (0.0377, 0.0532, 0.0264, 0.0314, 2181),
    "sports_and_outdoors": (0.0244, 0.0326, 0.0175, 0.0201, 3286),
}


@pytest.mark.data
@pytest.mark.skipif(not HAS_DATA, reason=f"needs the research data in {DATA}")
@pytest.mark.parametrize("name", PAPER)
def test_swing_reproduces_the_paper(tmp_path: Path, name: str) -> None:
    vars = {
        "interactions": str(DATA / f"{name}.interactions.parquet"),
        "items": str(DATA / f"{name}.items.parquet"),
        "order_column": "position",
        "protocol": "paper",
    }
    project = build(tmp_path, vars, select="+target_ranks_swing evaluation_long_tail")
    _, rows = project.rows(
        """
        select avg((rank <= 5)::int), avg((rank <= 10)::int),
            avg(case when rank <= 5 then 1 / log2(rank + 1) else 0 end),
            avg(case when rank <= 10 then 1 / log2(rank + 1) else 0 end)
        from (select coalesce(rank, 1000000) as rank from target_ranks_swing where split = 'test')
        """
    )
    *expected, long_tail = PAPER[name]
    assert rows[0] == pytest.approx(expected, abs=0.0015)
    assert project.rows("select count(*) from evaluation_long_tail where is_long_tail")[1] == [
        (long_tail,)
    ]


# -- the same on a second engine: Spark SQL, spoken by Sail ------------------------------------------------------------

MODELS = sorted(
    node.name
    for node in Project.load(ROOT).manifest.nodes.values()
    if node.resource_type == "model"
)


# Run by `make test-spark` alone: what another model already shows (one macro behind both), and what takes seconds.
LATER = ("target_ranks_", "index_", "control_", "crossfit_", "second_", "paired_", "item_pair_bucket_edges", "signal_bucket_edges", "scored_", "judged_")  # fmt: skip
SETTINGS = (
    {"fusion": "append", "recommender": "swing"},
    {"protocol": "paper"},
    {"protocol": "sampled99", "swing_preset": "pai_ext"},
    {"protocol": "global_time", "train_before": "2024-01-04", "query_before": "2024-01-06"},
    {"discriminator": "history", "min_confidence": 0.5, "negative_sampler": "mixture"},
    {"filter_real": "drop_below", "filter_folds": 2, "near_column": "item_id"},
    {"items": None},
    {"min_common_users": 2, "swing_form": "by_item"},
)
CASES = [
    pytest.param(m, marks=pytest.mark.spark)
    if m.startswith(LATER) or m.endswith("fusion_trials")
    else m
    for m in MODELS
]


def calls_training(step: PlanStep) -> bool:
    quick = {"paired_bootstrap"}
    return any(call.kind == "table" and call.udf not in quick for call in step.compiled.steps)


@pytest.fixture(scope="module")
def default(shop: tuple[Path, dict[str, Any]]) -> tuple[Project, BuildContext]:
    project = Project.load(ROOT, vars=shop[1], target_path=shop[0] / "target")
    return project, build_context(project)


@pytest.mark.parametrize("model", CASES)
def test_a_model_gives_the_same_rows_on_spark(
    model: str, default: tuple[Project, BuildContext], sail_url: str, tmp_path: Path
) -> None:
    project, bench = default
    steps = {s.node.name: s for s in bench.plan.steps if s.node.materialized == "table"}
    if model not in steps:
        pytest.skip("switched off by the vars of this log, or a part of the models that read it")
    if calls_training(steps[model]):
        pytest.skip("a training: it runs in this process on either engine")
    if model == "log_report":
        pytest.skip("its query for DuckDB asks the clock, that for a cluster does not")
    assert not difference_on(sail_url, project, bench, steps[model], tmp_path)


@pytest.mark.spark
@pytest.mark.parametrize(
    "changes", SETTINGS, ids=lambda changes: "-".join(map(str, changes.values()))
)
def test_models_of_other_settings_give_the_same_rows_on_spark(
    shop: tuple[Path, dict[str, Any]],
    default: tuple[Project, BuildContext],
    changes: dict[str, Any],
    sail_url: str,
    tmp_path: Path,
) -> None:
    """Of the models whose own SQL the settings change, and those they switch on."""
    known = {s.node.name: s.compiled.digest for s in default[1].plan.steps}
    project = build(shop[0], {**shop[1], **changes}, env="other")
    bench = build_context(project)
    wrong = {}
    for step in bench.plan.steps:
        name = step.node.name
        is_new = known.get(name) != step.compiled.digest
        is_stored = step.node.materialized == "table"
        if is_new and is_stored and not calls_training(step):
            (tmp_path / name).mkdir()
            if found := difference_on(sail_url, project, bench, step, tmp_path / name):
                wrong[name] = found
    assert not wrong


@pytest.mark.spark
def test_data_tests_pass_on_both_engines(
    default: tuple[Project, BuildContext], sail_url: str, tmp_path: Path
) -> None:
    project, bench = default
    on_spark = dataclasses.replace(
        bench, new_engine=lambda: spark_engine(project, sail_url, tmp_path)
    )
    outcomes = list(run_checks(project.manifest.checks, on_spark, force=True))
    here = {
        o.check.name: o.failures for o in run_checks(project.manifest.checks, bench, force=True)
    }
    broken = {o.check.name: str(o.error) for o in outcomes if o.error}
    assert not broken
    assert {o.check.name: o.failures for o in outcomes} == here
