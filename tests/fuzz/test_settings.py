"""YAML files, vars and selections: read, or refused with a place and a reason."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st

from llm_i2i.config.experiments import load_experiments
from llm_i2i.config.loader import load_project, load_yaml
from llm_i2i.config.project import parse_vars_argument
from llm_i2i.config.selectors import load_selectors
from llm_i2i.config.vars import merge_vars
from llm_i2i.errors import LlmI2iError
from llm_i2i.runner.project import Project
from tests.fuzz.harness import arguments, fuzz, profiles, scalars, spoilt, texts, values
from tests.project.conftest import FILES, ShopProject

ROOT = Path(__file__).parents[2]
PROJECT = textwrap.dedent(FILES["project/project.yml"])
PROPERTIES = [
    textwrap.dedent(FILES["models/models.yml"]),
    textwrap.dedent(FILES["models/sources.yml"]),
    *(path.read_text() for path in sorted(ROOT.glob("models/**/*.yml"))[:8]),
]
UNIT_TEST = """
unit_tests:
  - name: keeps_the_good
    model: kept
    overrides: {vars: {threshold: 0.3}}
    given:
      - input: ref('scored')
        rows: [{user_id: a, score: 0.4}, {user_id: b, score: 0.1}]
    expect:
      format: csv
      rows: "user_id,score\\na,0.4"
"""
EXPOSURE = """
exposures:
  - name: window
    type: dashboard
    owner: {name: Ann, email: a@b.c}
    depends_on: [ref('kept')]
"""
SELECTORS = """
selectors:
  - name: nightly
    description: All of it.
    default: true
    definition:
      union: [{method: tag, value: log, children: true}, 'kept', {exclude: [prompts]}]
  - {name: two, definition: {method: selector, value: nightly}}
"""
KEYS = "models sources seeds macros columns data_tests unit_tests config tags meta name description grain given expect rows where severity version".split()


@profiles(short=12, long=3000)
def test_project_file(inputs: int, tmp_path: Path) -> None:
    experiments = [(ROOT / "project/experiments.yml").read_text()[:3000]]
    whole = [PROJECT, (ROOT / "project/project.yml").read_text()]
    words = "vars targets target language_models name model-paths packages on_run_start models seeds".split()
    (tmp_path / "models").mkdir()

    def load(text: str) -> None:
        (tmp_path / "project.yml").write_bytes(text.encode())
        loaded = load_project(tmp_path)
        merge_vars(loaded.var_settings, {})
        loaded.config.target_settings()

    fuzz("project.yml", inputs, spoilt(whole, words), load)
    (tmp_path / "project.yml").write_text(PROJECT)

    def experiment(text: str) -> None:
        path = tmp_path / "experiments.yml"
        path.write_bytes(text.encode())
        load_experiments(path, tmp_path)

    fuzz("experiments.yml", inputs // 4, spoilt(experiments), experiment)


@profiles(short=8, long=2000)
def test_properties(inputs: int, tmp_path: Path) -> None:
    """Files of models, sources and tests, up to the manifest."""
    shop = ShopProject(tmp_path)
    shop.write("models/exposures.yml", EXPOSURE)

    def load(text: str) -> None:
        path = tmp_path / "models/fuzzed.yml"
        path.write_bytes(text.encode())
        _ = Project.load(tmp_path).manifest.nodes

    own = [
        textwrap.dedent(UNIT_TEST),
        PROPERTIES[0].replace("events", "prompts"),
        EXPOSURE.replace("window", "w2"),
    ]
    fuzz("properties", inputs, spoilt([*own, *PROPERTIES], KEYS), load)


@profiles(short=12, long=2000)
def test_any_yaml(inputs: int, tmp_path: Path) -> None:
    path = tmp_path / "x.yml"

    def read(value: Any) -> None:
        text = value if isinstance(value, str) else yaml.safe_dump(value, allow_unicode=True)
        path.write_bytes(text.encode())
        load_yaml(path)

    fuzz("yaml", inputs, st.one_of(spoilt(PROPERTIES), texts, values), read)


@profiles(short=6, long=1000)
def test_selectors_file(inputs: int, shop: ShopProject, tmp_path: Path) -> None:
    own = ShopProject(tmp_path)

    def select(text: str) -> None:
        (own.dir / "project/selectors.yml").write_bytes(text.encode())
        load_selectors(own.dir / "project/project.yml", own.dir)
        Project.load(own.dir).select()

    words = "method value union intersection exclude children parents depth".split()
    fuzz("selectors.yml", inputs, spoilt([SELECTORS], words), select)


@profiles(short=12, long=3000)
def test_selections(inputs: int, project: Project) -> None:
    words = ["kept", "+kept", "2+kept+1", "@events", "tag:log", "path:models", "config.materialized:table", "source:log", "state:new", "result:error", "test_type:unit", "*", "k?pt", "package:shop", "selector:x", "resource_type:model", "fqn:shop.kept", "file:kept.sql"]  # fmt: skip
    criteria = st.lists(spoilt(words, words), min_size=1, max_size=3).map(" ".join) | arguments

    def select(pair: tuple[str, str]) -> None:
        known = set(project.manifest.nodes)
        chosen = project.select([pair[0]], [pair[1]] if pair[1] else [])
        assert chosen
        assert set(chosen) <= known
        project.select_tests([pair[0]])

    fuzz("selections", inputs, st.tuples(criteria, st.just("") | criteria), select)


@profiles(short=12, long=3000)
def test_vars(inputs: int, project: Project) -> None:
    """What --vars holds is what a template reads, whatever it is."""
    originals = [
        "{threshold: 0.7}",
        "{log: data/log.csv, planet: Mars}",
        "{planet: [1, {a: b}], threshold: null}",
    ]

    def given(text: str) -> None:
        found = merge_vars(project.loaded.var_settings, parse_vars_argument(text))
        Project.load(project.dir, vars=found).render(
            "select {{ var('planet') }}, {{ var('threshold') }}"
        )

    fuzz("--vars", inputs, spoilt(originals) | arguments, given)

    def value(planet: Any) -> None:
        loaded = Project.load(project.dir, vars={"planet": planet})
        sql = loaded.render("select {{ quote_literal(var('planet')) }} as planet")
        rows = project.rows(sql)[1]
        if isinstance(planet, str | bool | int) or planet is None:
            assert rows == [(planet,)] or isinstance(planet, int)

    fuzz("var values", inputs // 3, scalars.filter(lambda v: not isinstance(v, bytes)), value)


@pytest.mark.parametrize("number", [0.5, math.inf, math.nan, 1e300])
def test_a_number_reaches_sql_as_it_is(project: Project, number: float) -> None:
    sql = Project.load(project.dir, vars={"threshold": number}).render(
        "select {{ var('threshold') }}"
    )
    found = project.rows(sql)[1][0][0]
    assert float(found) == number or math.isnan(number)


def test_a_billion_laughs_are_refused(tmp_path: Path) -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
    )
    (tmp_path / "x.yml").write_text(text)
    with pytest.raises(LlmI2iError, match="too large"):
        load_yaml(tmp_path / "x.yml")
