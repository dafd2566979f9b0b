"""experiments.yml and what becomes of it before anything runs: every mistake, all at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_i2i.config.experiments import load_experiments
from llm_i2i.config.loader import load_project
from llm_i2i.errors import LlmI2iError, ProjectErrors
from llm_i2i.experiment.run import plan_experiment
from llm_i2i.experiment.variants import Choice, Trials, make_trials
from llm_i2i.runner.project import Project

ROOT = Path(__file__).parents[2]
PROJECT = """
name: demo
vars: {interactions: log.csv, alpha: 4.0, protocol: standard, fusion: distil, random_seed: 42, language_model: small}
declare:
  alpha: {type: number, min: 0}
  fusion: {values: [distil, append]}
language_models: {small: {architecture: fake}}
"""
EXPERIMENTS = """
datasets:
  toys: {vars: {interactions: toys.parquet}}
experiments:
  sweep:
    vars: {fusion: append}
    variants:
      full: {}
      plain: {vars: {alpha: 1.0}, arms: [none]}
    grid: {protocol: [paper, standard]}
    reference: {variant: plain, arm: none}
    seeds: [42, 43]
    arms: [llm_i2i]
"""


def write(folder: Path, experiments: str, project: str = PROJECT) -> Path:
    (folder / "project").mkdir(exist_ok=True)
    (folder / "project/project.yml").write_text(project)
    (folder / "project/experiments.yml").write_text(experiments)
    return folder


def trials(folder: Path, name: str = "sweep", **choice: Any) -> Trials:
    experiments = load_experiments(folder / "project/project.yml", folder)
    return make_trials(name, experiments, load_project(folder).var_settings, Choice(**choice))


def failures(action: Any, *arguments: Any, **named: Any) -> list[LlmI2iError]:
    with pytest.raises(LlmI2iError) as caught:
        action(*arguments, **named)
    return caught.value.errors if isinstance(caught.value, ProjectErrors) else [caught.value]


def test_all_mistakes_of_the_file_in_one_go(tmp_path: Path) -> None:
    text = """
datasets: {toys: {}}
experiments:
  a:
    datasets: [toy]
    metrics: [recal]
    k: [7]
    split: tests
    grids: {}
  b:
    variants: {full: {vars: {alpha: 1, random_seed: 2}}}
    grid: {alpha: [1, 1], beta: []}
    reference: {variant: ful, grid: {alpha: 9}}
    figure: {kind: lines, x: gamma, k: 20}
  c-d: {seeds: [1, 1]}
"""
    write(tmp_path, text)
    found = failures(load_experiments, tmp_path / "project/project.yml", tmp_path)
    said = {(e.where.split(":")[1], e.what) for e in found}
    assert said == {
        ("6", "'experiments.a.metrics[0]' is not a metric"),
        ("7", "'experiments.a.k[0]' is not computed"),
        ("8", "'experiments.a.split' must be 'validation' or 'test'"),
        ("9", "unknown key 'grids' in an experiment"),
    }
    # what pydantic accepts is checked once the shape is right
    fixed = text.replace("[recal]", "[recall]").replace("[7]", "[5, 10]")
    write(tmp_path, fixed.replace("tests", "test").replace("    grids: {}\n", ""))
    found = failures(load_experiments, tmp_path / "project/project.yml", tmp_path)
    said_now = "\n".join(e.what for e in found)
    for expected in (
        "dataset 'toy' is not defined",
        "var 'alpha' is set by a variant and by the grid",
        "var 'random_seed' is set by the seeds",
        "grid var 'alpha' has a value twice",
        "grid var 'beta' has no values",
        "the reference 'ful' is no variant",
        "the reference's alpha: 9 is not in the grid",
        "the figure's x 'gamma' is no grid var",
        "the figure shows recall@20, which the experiment does not report",
        "experiment name 'c-d' cannot name a folder",
        "a seed is given twice",
    ):
        assert expected in said_now
    assert all(e.where.startswith("project/experiments.yml:") for e in found)


def test_variants_times_grid_times_seeds_times_datasets(tmp_path: Path) -> None:
    found = trials(write(tmp_path, EXPERIMENTS), datasets=["toys", "bundled"])
    assert len(found.trials) == 2 * 2 * 2 * 2
    first = found.trials[0]
    assert (first.variant.name, first.dataset, first.seed) == ("full, protocol=paper", "toys", 42)
    assert first.vars == {
        "interactions": "toys.parquet", "fusion": "append", "protocol": "paper", "random_seed": 42,
    }  # fmt: skip
    assert len({t.environment for t in found.trials}) == 16
    reference = found.reference_of(first)
    assert reference is not None
    assert (reference.variant.name, reference.seed, reference.dataset) == (
        "plain, protocol=paper", 42, "toys",
    )  # fmt: skip


def test_names_of_environments_do_not_depend_on_order(tmp_path: Path) -> None:
    before = {t.title: t.environment for t in trials(write(tmp_path, EXPERIMENTS)).trials}
    lines = EXPERIMENTS.replace("      full: {}\n", "")
    turned = lines.replace("[none]}\n", "[none]}\n      full: {}\n").replace(
        "[paper, standard]", "[standard, paper]"
    )
    after = {t.title: t.environment for t in trials(write(tmp_path, turned)).trials}
    assert after == before
    assert list(after) != list(before)


def test_equal_vars_share_an_environment(tmp_path: Path) -> None:
    text = EXPERIMENTS.replace("{vars: {alpha: 1.0}, arms: [none]}", "{arms: [none]}")
    found = trials(write(tmp_path, text), seeds=[1])
    assert len(found.trials) == 4
    assert len({t.environment for t in found.trials}) == 2


def test_a_chosen_variant_brings_its_reference_unshown(tmp_path: Path) -> None:
    found = trials(write(tmp_path, EXPERIMENTS), variants=["full"], seeds=[1])
    assert [(t.variant.name, t.shown) for t in found.trials] == [
        ("full, protocol=paper", True),
        ("full, protocol=standard", True),
        ("plain, protocol=paper", False),
        ("plain, protocol=standard", False),
    ]
    one = trials(tmp_path, variants=["plain, protocol=p*"], seeds=[1])
    assert [t.variant.name for t in one.trials] == ["plain, protocol=paper"]


@pytest.mark.parametrize(
    ("choice", "what", "fix"),
    [
        ({"datasets": ["toy"]}, "dataset 'toy' is not defined", "did you mean 'toys'?"),
        ({"variants": ["ful"]}, "no variant of 'sweep' matches ful", "did you mean 'full'?"),
        ({"arms": ["llm_i2"]}, "arm 'llm_i2' is none of the experiment's", "'llm_i2i'"),
        ({"vars": {"alpha": 2}}, "var 'alpha' is what 'sweep' varies", "leave it out"),
        ({"vars": {"random_seed": 2}}, "var 'random_seed' is set by the seeds", "--seeds"),
        ({"vars": {"interactions": "x"}, "datasets": ["toys"]}, "both say which log", "one of"),
    ],
)
def test_a_wrong_choice(tmp_path: Path, choice: dict[str, Any], what: str, fix: str) -> None:
    (error,) = failures(trials, write(tmp_path, EXPERIMENTS), **choice)
    assert what in error.what
    assert fix in error.fix


def test_unknown_vars_and_wrong_values_with_their_lines(tmp_path: Path) -> None:
    text = EXPERIMENTS.replace("alpha: 1.0", "alpha: one, alfa: 2")
    text = text.replace("{fusion: append}", "{fusion: apend}")
    text = text.replace("toys.parquet", "toys.parquet, itemz: x")
    found = failures(trials, write(tmp_path, text), datasets=["toys"])
    assert {(e.what, e.where) for e in found} == {
        ("var 'alfa' is not declared", "project/experiments.yml:9:40"),
        ("var 'alpha' must be a finite number", "project/experiments.yml:9:29"),
        ("var 'fusion' must be one of distil, append", "project/experiments.yml:6:20"),
        ("var 'itemz' is not declared", "project/experiments.yml:3:52"),
    }


def test_an_unknown_experiment_and_none_at_all(tmp_path: Path) -> None:
    (error,) = failures(trials, write(tmp_path, EXPERIMENTS), "sweeep")
    assert (error.what, error.fix) == (
        "experiment 'sweeep' is not defined",
        "did you mean 'sweep'?",
    )
    (tmp_path / "project/experiments.yml").unlink()
    (error,) = failures(trials, tmp_path)
    assert error.what == "this project has no experiments"


def test_vars_that_name_a_log_are_a_dataset_of_their_own(tmp_path: Path) -> None:
    folder = write(tmp_path, EXPERIMENTS)
    found = trials(folder, vars={"interactions": "mine.csv"}, seeds=[1])
    assert {t.dataset for t in found.trials} == {"own"}
    assert {t.vars["interactions"] for t in found.trials} == {"mine.csv"}


NAMES = sorted(load_experiments(ROOT / "project/project.yml", ROOT).config.experiments)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_experiments_fit_the_project(name: str) -> None:
    experiments = load_experiments(ROOT / "project/project.yml", ROOT)
    settings = load_project(ROOT).var_settings
    found = make_trials(name, experiments, settings, Choice())
    assert all(t.vars.get("interactions") or t.vars["online_logs"] for t in found.trials)
    assert experiments.config.experiments[name].description


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_shipped_experiments_compile(name: str, tmp_path: Path) -> None:
    """Arms, segments, measures and references are there: of each variant the first point of the grid."""
    project = Project.load(ROOT, target_path=tmp_path)
    experiments = load_experiments(ROOT / "project/project.yml", ROOT)
    log = {key: project.vars[key] for key in ("interactions", "items")}
    every = make_trials(name, experiments, project.loaded.var_settings, Choice(vars=log))
    first = {t.variant.base: t.variant.name for t in reversed(every.trials) if t.shown}
    choice = Choice(vars=log, variants=list(first.values()))
    plan = plan_experiment(
        project, make_trials(name, experiments, project.loaded.var_settings, choice), experiments
    )
    assert {t.variant.name for t in plan.shown} == set(first.values())
