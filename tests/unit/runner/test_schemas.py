"""JSON Schemas accept every YAML file we ship, and catch what an editor should underline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from llm_i2i.config.loader import load_project
from llm_i2i.config.yaml_text import Mistakes, parse_yaml, plain
from llm_i2i.runner.artifacts.schemas import schemas, write_schemas

ROOT = Path(__file__).parents[3]
SHIPPED = [
    ("project", ROOT / "project/project.yml"),
    ("experiments", ROOT / "project/experiments.yml"),
    *(
        ("part" if path.name == "part.yml" else "properties", path)
        for path in sorted((ROOT / "models").rglob("*.yml"))
    ),
]


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    return schemas(load_project(ROOT).var_settings)


def complaints(schema: dict[str, Any], text: str) -> list[str]:
    mistakes = Mistakes()
    document = plain(parse_yaml(text, "x.yml", mistakes))
    assert not mistakes
    return [
        f"{e.json_path}: {e.message}" for e in Draft202012Validator(schema).iter_errors(document)
    ]


def test_they_are_schemas(found: dict[str, dict[str, Any]]) -> None:
    assert set(found) == {"project", "properties", "part", "experiments", "report", "vars"}
    for schema in found.values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(("kind", "path"), SHIPPED, ids=lambda x: getattr(x, "name", x))
def test_what_we_ship_is_valid(found: dict[str, dict[str, Any]], kind: str, path: Path) -> None:
    assert complaints(found[kind], path.read_text()) == []


@pytest.mark.parametrize(
    ("kind", "text", "place"),
    [
        ("project", "name: a\nvasr: {}", "$"),
        ("project", "vars: {}", "$"),
        ("project", "name: a\nvars: {alpha: lots}", "$.vars.alpha"),
        ("project", "name: a\nmodels: {staging: {+materialised: view}}", "$.models.staging"),
        (
            "project",
            "name: a\nlanguage_models: {x: {epochs: many}}",
            "$.language_models.x.epochs",
        ),
        (
            "project",
            "name: a\nlanguage_models: {x: {pretrained: a, epochs: many}}",
            "$.language_models.x.epochs",
        ),
        (
            "project",
            "name: a\nlanguage_models: {x: {pretrained: a, hidden_size: 64}}",
            "'hidden_size' was unexpected",
        ),
        ("project", "name: a\nlanguage_models: {x: {lora: {rank: 4}}}", "'lora' was unexpected"),
        ("properties", "models: [{name: a, colums: []}]", "$.models[0]"),
        ("properties", "models: [{name: a, config: {materialized: tabel}}]", ".materialized"),
        ("experiments", "experiments: {a: {metrics: recall}}", "$.experiments.a.metrics"),
        ("experiments", "datasets: {a: {vars: {protocol: papre}}}", "$.datasets.a.vars.protocol"),
        ("vars", "long_tail_rule: bottom", "$.long_tail_rule"),
        ("vars", "alpha: null", "$.alpha"),
        ("vars", "trigger_decay: 2", "$.trigger_decay"),
    ],
)
def test_mistakes_are_found(
    found: dict[str, dict[str, Any]], kind: str, text: str, place: str
) -> None:
    (complaint,) = complaints(found[kind], text)
    assert place in complaint


def test_an_entry_without_a_pretrained_model_may_say_so(found: dict[str, dict[str, Any]]) -> None:
    text = "name: a\nlanguage_models: {x: {pretrained: null, hidden_size: 64}}"
    assert complaints(found["project"], text) == []


def test_a_key_without_a_value_is_no_mistake(found: dict[str, dict[str, Any]]) -> None:
    assert complaints(found["properties"], "models:\n  - name: a\n    description:\n") == []


def test_vars_say_what_they_mean(found: dict[str, dict[str, Any]]) -> None:
    alpha = found["vars"]["properties"]["alpha"]
    assert alpha == {
        "description": "The weight of long-tail target items in the loss of the generator.",
        "type": "number",
        "minimum": 0,
        "default": 4.0,
    }


def test_they_are_written_where_asked(tmp_path: Path) -> None:
    written = write_schemas(ROOT, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in written)
