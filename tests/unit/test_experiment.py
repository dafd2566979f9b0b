"""`llmi2i experiment` on a made-up log with the fake language model."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from llm_i2i.cli.main import cli
from llm_i2i.config.experiments import load_experiments
from llm_i2i.errors import LlmI2iError, ProjectErrors
from llm_i2i.experiment.results import Results, read_published
from llm_i2i.experiment.run import ExperimentPlan, plan_experiment, run_experiment, summary
from llm_i2i.experiment.variants import Choice, make_trials
from llm_i2i.runner.build.events import Reporter
from llm_i2i.runner.project import Project
from tests.project.test_reference_project import write_log
from tests.unit.test_new_users import is_new

ROOT = Path(__file__).parents[2]
EXPERIMENTS = """
published: published.csv
datasets:
  tiny:
    vars: {{interactions: {folder}/log.csv, items: {folder}/items.csv, language_model: fake}}
experiments:
  sweep:
    description: A sweep.
    select: +ranking_metrics +paired_differences
    datasets: [tiny]
    vars: {{fusion: append, recommender: swing, confidence_scale: quantile, controls: [], others_folds: null, bootstrap_resamples: 200}}
    variants:
      loose: {{}}
      strict: {{vars: {{min_confidence: 0.5}}}}
      plain: {{arms: [none]}}
    grid: {{protocol: [standard, paper]}}
    seeds: [42, 43]
    arms: [llm_i2i]
    segments: [all, long_tail]
    measures: {{synthetic_pairs: select count(*) from synthetic_interactions}}
    reference: {{variant: plain, arm: none}}
    paper_table: 5
"""
PUBLISHED = """table,dataset,recommender,augmentation,variant,segment,metric,k,value
5,tiny,swing,llm_i2i,strict,all,recall,10,0.0739
5,tiny,swing,none,plain,all,recall,10,0.0616
2,tiny,swing,llm_i2i,,all,recall,5,0.5
"""


def make_project(folder: Path, experiments: str = EXPERIMENTS) -> Path:
    """The reference project with experiments of its own."""
    (folder / "project").mkdir(parents=True)
    for name in ("project.yml", "arms.yml", "macros", "prompts", "seeds"):
        (folder / "project" / name).symlink_to(ROOT / "project" / name)
    for name in ("models", "udfs"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "published.csv").write_text(PUBLISHED)
    write_log(folder, users=90)
    (folder / "project/experiments.yml").write_text(experiments.format(folder=folder))
    return folder


class Run:
    """A planned experiment, its failures and rows."""

    def __init__(
        self, folder: Path, target: str = "target", max_calls: int | None = None, **choice: Any
    ):
        self.project = Project.load(folder, target_path=target)
        experiments = load_experiments(self.project.loaded.file, folder)
        trials = make_trials(
            "sweep", experiments, self.project.loaded.var_settings, Choice(**choice)
        )
        self.plan: ExperimentPlan = plan_experiment(self.project, trials, experiments)
        self.before = summary(self.plan)
        self.built: list[str] = []
        self.failures = run_experiment(self.plan, self.reporter, max_calls)
        results = Results(
            self.plan, self.failures, read_published(folder / "published.csv", "published.csv")
        )
        self.rows = results.rows()
        self.summary = results.summary(self.rows)

    def reporter(self, number: int, environment: Any) -> Reporter:
        run = self

        class Noted(Reporter):
            def node_finished(self, index: int, total: int, outcome: Any) -> None:
                if outcome.status == "OK":
                    run.built.append(f"{outcome.step.node.name} {outcome.step.fingerprint}")

        return Noted()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("experiment") / "shop")


@pytest.fixture(scope="module")
def sweep(folder: Path) -> Run:
    return Run(folder)


def test_what_is_equal_is_built_once(sweep: Run) -> None:
    assert not sweep.failures
    # three variants, of which two have equal vars; two protocols; two seeds.
    assert (sweep.before["trials"], sweep.before["environments"]) == (12, 8)
    # generator, crossfit_generator and discriminator of each seed and protocol, since `paper` takes no new users out; nothing depends on the threshold.
    names = [step.node.name for step in sweep.plan.to_build]
    trainings = sum(
        any(c.udf == "fine_tune" for c in s.compiled.steps) for s in sweep.plan.to_build
    )
    # each environment has its own metrics.
    assert sweep.before["trainings_to_run"] == {"fine_tune": trainings, "paired_bootstrap": 8}
    assert names.count("generator") == names.count("discriminator") == 4
    unshared = {"fine_tune": 2 * trainings, "paired_bootstrap": 8}
    assert sweep.before["trainings_unshared"] == unshared
    assert len(sweep.built) == len(set(sweep.built)) == sweep.before["results_to_build"]


def test_a_rerun_builds_nothing_and_says_the_same(folder: Path, sweep: Run) -> None:
    again = Run(folder)
    assert again.before["results_to_build"] == 0
    assert again.before["calls_known"] == 0
    assert again.built == []
    assert (again.rows, again.summary) == (sweep.rows, sweep.summary)


@pytest.mark.slow
def test_neither_order_nor_the_store_changes_a_number(folder: Path, sweep: Run) -> None:
    text = EXPERIMENTS.format(folder=folder)
    turned = text.replace("      loose: {}\n", "").replace(
        "      plain: {arms: [none]}\n", "      plain: {arms: [none]}\n      loose: {}\n"
    )
    turned = turned.replace("[standard, paper]", "[paper, standard]").replace(
        "[42, 43]", "[43, 42]"
    )
    path = folder / "project/experiments.yml"
    try:
        path.write_text(turned)
        other = Run(folder, target="target_turned", seeds=[42])
    finally:
        path.write_text(text)
    assert other.before["results_to_build"] > 100  # an empty store
    same_seed = [r for r in sweep.rows if r.seed == 42]
    assert [r.variant for r in other.rows] != [r.variant for r in same_seed]
    assert set(other.rows) == set(same_seed)


def test_values_are_those_of_ranking_metrics(sweep: Run) -> None:
    for environment in sweep.plan.environments:
        _, expected = environment.project.rows(
            "select segment, metric, k, value, n_users, protocol from ranking_metrics where split = 'test' and k in (5, 10)"
            " and recommender = 'swing' and augmentation = 'llm_i2i' and segment in ('all', 'long_tail')"
        )
        found = [
            (r.segment, r.metric, r.k, r.value, r.n_users, r.protocol)
            for r in sweep.rows
            if r.environment == environment.name
            and r.augmentation == "llm_i2i"
            and "strict" in r.variant
        ]
        assert not found or sorted(found) == sorted(expected)
    assert sum("strict" in r.variant and r.k is not None for r in sweep.rows) == 2 * 2 * 8


def test_intervals_equal_those_of_paired_differences(sweep: Run) -> None:
    """Within an environment the SQL model computes the same comparison from the same draws."""
    compared = 0
    for row in sweep.rows:
        if row.difference is None or "loose" not in row.variant or row.k is None:
            continue
        (environment,) = [e for e in sweep.plan.environments if e.name == row.environment]
        _, rows = environment.project.rows(
            f"select difference, lower, upper, other_value from paired_differences where split = 'test' and recommender = 'swing'"
            f" and augmentation = 'llm_i2i' and against = 'none' and segment = '{row.segment}' and metric = '{row.metric}' and k = {row.k}"
        )
        found = (row.difference, row.difference_lower, row.difference_upper, row.reference_value)
        assert found == pytest.approx(rows[0], abs=1e-9)
        compared += 1
    assert compared == 2 * 2 * 8


def test_rows_of_different_protocols_are_never_compared(sweep: Run) -> None:
    protocol = {e.name: e.protocol for e in sweep.plan.environments}
    for row in sweep.rows:
        assert row.protocol == protocol[row.environment]
        if row.reference is not None:
            assert f"protocol={row.protocol}" in row.reference


def test_published_values_stand_beside_the_paper_protocol_alone(sweep: Run) -> None:
    rows = [r for r in sweep.rows if r.published is not None]
    assert {(r.protocol, r.metric, r.k, r.segment) for r in rows} == {
        ("paper", "recall", 10, "all")
    }
    assert {(r.variant, r.published, r.published_gain) for r in rows} == {
        ("strict, protocol=paper", 0.0739, 0.1997),
        ("plain, protocol=paper", 0.0616, None),
    }


def test_seeds_are_averaged(sweep: Run) -> None:
    for row in sweep.summary:
        values = [
            r.value for r in sweep.rows
            if (r.variant, r.augmentation, r.segment, r.metric, r.k) == (row.variant, row.augmentation, row.segment, row.metric, row.k)
        ]  # fmt: skip
        assert row.n_seeds == len(values) == 2
        assert row.value == pytest.approx(np.mean(values), abs=1e-11)
        assert (row.min, row.max) == (min(values), max(values))
        if row.difference is not None and row.difference_lower is not None:
            assert row.difference_lower <= row.difference <= row.difference_upper


def test_measures_are_rows_too(sweep: Run) -> None:
    pairs = {(r.variant, r.seed): r.value for r in sweep.rows if r.metric == "synthetic_pairs"}
    assert len(pairs) == 12
    assert 0 < pairs["strict, protocol=paper", 42] < pairs["loose, protocol=paper", 42]


def test_a_failed_variant_does_not_lose_the_others(
    folder: Path, sweep: Run, tmp_path: Path
) -> None:
    path = folder / "project/experiments.yml"
    text = path.read_text()
    try:
        path.write_text(
            text.replace("min_confidence: 0.5", "min_confidence: 0.5, history_length: 7")
        )
        run = Run(folder, max_calls=0, seeds=[42])  # other prompts need calls, and none may be made
    finally:
        path.write_text(text)
    assert {f.trial.variant.base for f in run.failures} == {"strict"}
    assert "new calls" in run.failures[0].reason
    assert {r.variant.split(",")[0] for r in run.rows} == {"loose", "plain"}
    assert set(run.rows) <= set(sweep.rows)


def test_an_independent_evaluation_of_the_index_agrees(sweep: Run) -> None:
    (environment,) = [
        e for e in sweep.plan.environments
        if e.protocol == "standard" and any(t.variant.base == "strict" and t.seed == 42 for t in e.trials)
    ]  # fmt: skip
    query = environment.project.rows
    events, index = defaultdict(list), defaultdict(list)
    for user, item in query("select user_id, item_id from interactions order by user_id, position")[
        1
    ]:
        events[user].append(item)
    for trigger, related, score in query(
        "select trigger_item_id, related_item_id, score from index_swing_augmented"
    )[1]:
        index[trigger].append((related, score))
    train = {item for (item,) in query("select distinct item_id from interactions_train")[1]}
    known = [items for user, items in events.items() if len(items) >= 3 and not is_new(user, 0.1)]
    segments = {
        "all": known,
        "new_users": [h for user, h in events.items() if len(h) >= 3 and is_new(user, 0.1)],
        "new_items": [items for items in known if items[-1] not in train],
    }
    found = {
        (segment, metric, k): value
        for segment, metric, k, value in query(
            "select segment, metric, k, value from ranking_metrics"
            " where recommender = 'swing' and augmentation = 'llm_i2i' and split = 'test'"
        )[1]
    }
    shown = {(r.metric, r.k): r.value for r in sweep.rows if r.environment == environment.name and r.segment == "all" and r.augmentation == "llm_i2i"}  # fmt: skip
    for segment, users in segments.items():
        for k in (5, 10):
            if not users:
                assert (segment, "recall", k) not in found
                continue
            recall, ndcg = (sum(each) / len(users) for each in zip(*(gain(h, index, k) for h in users), strict=True))  # fmt: skip
            assert found[segment, "recall", k] == pytest.approx(recall, abs=1e-12)
            assert found[segment, "ndcg", k] == pytest.approx(ndcg, abs=1e-12)
            if segment == "all":
                assert shown["recall", k] == found[segment, "recall", k]
                assert shown["ndcg", k] == found[segment, "ndcg", k]
                assert 0 < recall < 1
    assert segments["new_users"]


def gain(
    items: list[Any], index: dict[Any, list[tuple[Any, float]]], k: int
) -> tuple[float, float]:
    """Recall and NDCG of the last item, in ten lines: the last ten events before it, each half as heavy as the next; what was seen is left out."""
    *history, target = items
    scores: dict[Any, float] = defaultdict(float)
    for age, trigger in enumerate(reversed(history[-10:])):
        for related, score in index[trigger]:
            scores[related] += 0.5**age * score
    ranked = sorted(
        scores.keys() - set(history), key=lambda item: (-np.float32(scores[item]), item)
    )
    if target not in ranked[:k]:
        return 0.0, 0.0
    return 1.0, 1 / math.log2(ranked.index(target) + 2)


def test_a_segment_without_targets_has_no_value(folder: Path) -> None:
    none_is_rare = {"evaluation_long_tail_rule": "max_count", "long_tail_max_count": 0}
    run = Run(folder, vars=none_is_rare, variants=["plain, protocol=paper"], seeds=[42])
    values = {(r.segment, r.n_users == 0): r.value for r in run.rows if r.k == 10}
    assert values["long_tail", True] is None
    assert values["all", False] is not None
    assert all(s.value is None for s in run.summary if s.segment == "long_tail")


@pytest.mark.slow
def test_bins_of_confidence_and_segments_of_items_divide_the_synthetic_pairs(
    folder: Path, sweep: Run
) -> None:
    base = {**sweep.plan.trials.trials[0].vars, "random_seed": 42}

    def pairs(**vars: Any) -> set[tuple[Any, ...]]:
        project = Project.load(folder, vars={**base, **vars}, env="parts")
        assert project.build(select="+synthetic_interactions").success
        query = "select user_id, item_id, is_long_tail from synthetic_interactions join items using (item_id)"
        project.build(select="items")
        return set(project.rows(query)[1])

    whole = pairs()
    low, high = (pairs(min_confidence=at, confidence_width=0.5) for at in (0.0, 0.5))
    assert low | high == whole
    assert not low & high
    assert low
    assert high
    for segment, is_long_tail in (("long_tail", True), ("other", False)):
        assert pairs(synthetic_items=segment) == {p for p in whole if p[2] == is_long_tail}


AUTO = """
datasets:
  tiny:
    vars: {{interactions: {folder}/log.csv, items: {folder}/items.csv, language_model: fake}}
experiments:
  sweep:
    description: Nothing is said of the recommender.
    select: +ranking_metrics +paired_differences
    datasets: [tiny]
    vars: {{controls: [], others_folds: null, bootstrap_resamples: 200}}
    seeds: [42]
    arms: [llm_i2i, none, swing/none]
    reference: {{arm: none}}
"""


def test_arms_of_auto_are_those_of_the_chosen_recommender(tmp_path: Path) -> None:
    run = Run(make_project(tmp_path / "shop", AUTO))
    assert not run.failures
    (environment,) = run.plan.environments
    assert environment.main_recommender == "auto"
    chosen = "select recommender from recommender_trials where place = 1"
    ((recommender,),) = environment.project.rows(chosen)[1]
    arms = dict.fromkeys((r.recommender, r.augmentation) for r in run.rows)
    assert list(arms) == list(
        dict.fromkeys([(recommender, "llm_i2i"), (recommender, "none"), ("swing", "none")])
    )
    differences = "select difference, lower, upper from paired_differences where split = 'test' and augmentation = 'llm_i2i' and against = 'none' and segment = 'all' and metric = 'recall' and k = 10"  # fmt: skip
    (expected,) = environment.project.rows(differences)[1]
    (row,) = [r for r in run.rows if (r.augmentation, r.metric, r.k, r.segment) == ("llm_i2i", "recall", 10, "all")]  # fmt: skip
    assert row.reference == f"{recommender}/none"
    found = (row.difference, row.difference_lower, row.difference_upper)
    assert found == pytest.approx(expected, abs=1e-9)


# -- mistakes that only the compiled project knows -------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("arms: [llm_i2i]", "arms: [llm_i3i]", "arm 'swing/llm_i3i' is not evaluated in variant 'loose, protocol=standard'"),
        ("[all, long_tail]", "[all, short_tail]", "segment 'short_tail' is not in ranking_metrics"),
        ("count(*) from synth", "count(*) from sinth", "measure 'synthetic_pairs': "),
        ("select count(*) from", "select * from", "measure 'synthetic_pairs': "),
        ("language_model: fake", "language_model: fake2", "fake2"),
        ("{variant: plain, arm: none}", "{grid: {protocol: paper}}", "have different protocol"),
        ("+ranking_metrics +paired_differences", "+i2i_inde", "i2i_inde"),
    ],
)  # fmt: skip
def test_bad_variants_fail_before_anything_runs(
    folder: Path, old: str, new: str, what: str
) -> None:
    path = folder / "project/experiments.yml"
    text = path.read_text()
    assert old in text
    try:
        path.write_text(text.replace(old, new))
        with pytest.raises(LlmI2iError) as caught:
            Run(folder, target="target_bad", seeds=[42], variants=["loose"])
    finally:
        path.write_text(text)
    errors = caught.value.errors if isinstance(caught.value, ProjectErrors) else [caught.value]
    assert any(what in str(error) for error in errors)
    assert not (folder / "target_bad/store").exists()


# -- the command -----------------------------------------------------------------------------------


def invoke(folder: Path, *arguments: str) -> Any:
    return CliRunner().invoke(cli, ["experiment", *arguments, "--project-dir", str(folder)])


def test_listing_and_dry_run(folder: Path, sweep: Run) -> None:
    listed = json.loads(invoke(folder, "--output", "json").stdout)
    assert listed[0]["experiment"] == "sweep"
    assert listed[0]["variants"] == 6
    said = json.loads(
        invoke(
            folder, "sweep", "--dry-run", "--output", "json", "--target-path", "target_dry"
        ).stdout
    )
    assert said["results_to_build"] == sweep.before["results_to_build"]
    assert sum(e["to_build"] for e in said["plan"]) == said["results_to_build"]
    assert not (folder / "target_dry/store").exists()
    shown = invoke(folder, "sweep", "--dry-run")
    assert "(unshared" in shown.stderr
    assert len(shown.stdout.splitlines()) == 2 + 8 + 1


def test_the_command_writes_tables_and_figure(folder: Path, sweep: Run) -> None:
    pytest.importorskip("matplotlib")
    done = invoke(folder, "sweep", "--output", "json")
    assert done.exit_code == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) == len(sweep.rows)
    assert "1 of 8  loose, protocol=standard" in done.stderr
    written = folder / "target/experiments/sweep"
    assert {p.name for p in written.iterdir()} == {
        "results.md", "results.parquet", "summary.parquet", "figure.svg", "figure.png",
    }  # fmt: skip
    text = (written / "results.md").read_text()
    assert "## tiny, protocol `paper`" in text
    assert "*.0739*" in text
    before = {p.name: p.read_bytes() for p in written.iterdir()}
    assert invoke(folder, "sweep", "-q").exit_code == 0
    assert {p.name: p.read_bytes() for p in written.iterdir()} == before
    project = Project.load(folder, env="experiments")
    count = project.rows("select count(*) from experiment_results where experiment = 'sweep'")[1]
    assert count == [(len(rows),)]


@pytest.mark.slow
def test_the_command_reports_a_failure(folder: Path, sweep: Run) -> None:
    done = invoke(folder, "sweep", "--seeds", "77", "--max-calls", "0", "-q")
    assert done.exit_code == 1
    assert "FAILED loose, protocol=standard, tiny, seed 77" in done.stderr


def test_the_command_refuses_bad_seeds(folder: Path) -> None:
    done = invoke(folder, "sweep", "--seeds", "a,b")
    assert isinstance(done.exception, LlmI2iError)
    assert done.exception.exit_code == 2
