"""`llmi2i debug`: what is there, what is missing, and how to get it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llm_i2i.cli.main import cli
from llm_i2i.runner.inspection import diagnosis
from llm_i2i.runner.inspection.diagnosis import Requirement, parse_requirement, satisfies, size_text

PROJECT = """
name: shop
vars: {log: log.csv, language_model: none}
targets: {dev: {type: duckdb, threads: 1}}
language_models:
  none: {architecture: fake, backend: fake}
  served: {architecture: llama, backend: vllm}
"""
SOURCES = """
sources:
  - name: log
    tables: [{name: events, path: "{{ var('log') }}"}, {name: unread, path: nowhere.csv}]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "project.yml").write_text(PROJECT)
    (tmp_path / "models/sources.yml").write_text(SOURCES)
    (tmp_path / "models/events.sql").write_text("select user_id from {{ source('log', 'events') }}")
    (tmp_path / "log.csv").write_text("user_id\nu1\n")
    return tmp_path


def debug(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["debug", "--project-dir", str(folder), *arguments])


def findings(folder: Path, *arguments: str) -> dict[tuple[str, str], dict[str, str]]:
    listed = json.loads(debug(folder, "--output", "json", *arguments).stdout)
    return {(one["section"], one["name"]): one for one in listed}


def test_a_project_that_lacks_nothing(shop: Path) -> None:
    done = debug(shop)
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith("\nNothing is missing that this project needs.\n")
    found = findings(shop)
    assert found["project", "name"]["detail"].startswith("shop ")
    assert found["project", "target"]["detail"] == "dev (duckdb) threads 1, jobs 1"
    assert found["project", "found"]["detail"] == "1 model, 2 sources"
    assert found["sources", "log.events"]["detail"] == "log.csv, 11 B"
    assert ("sources", "log.unread") not in found  # no model reads it


def test_a_source_without_a_file_is_missing(shop: Path) -> None:
    done = debug(shop, "--vars", "{log: other.csv}")
    assert done.exit_code == 1
    assert "MISSING log.events" in done.stdout
    assert "nothing at other.csv" in done.stdout
    assert done.stdout.endswith("\n1 thing is missing: sources log.events.\n")


def test_every_mistake_of_a_broken_project_is_a_finding(shop: Path) -> None:
    (shop / "project.yml").write_text("name: shop\nvasr: {}\n")
    (shop / "models/sources.yml").write_text("sorces: []\n")
    done = debug(shop)
    assert done.exit_code == 1
    assert "project.yml:2:1: unknown key 'vasr'" in done.stdout
    assert "models/sources.yml:1:1: unknown key 'sorces'" in done.stdout


def test_no_project_at_all(tmp_path: Path) -> None:
    done = debug(tmp_path)
    assert done.exit_code == 1
    assert "run 'llmi2i init DIR' or pass --project-dir" in done.stdout
    assert "python" in done.stdout


def test_published_environments_are_listed(shop: Path) -> None:
    build = ["build", "--project-dir", str(shop), "--env", "try", "-q"]
    assert CliRunner().invoke(cli, build).exit_code == 0
    found = findings(shop)
    assert found["store", "environments"]["detail"] == "try"
    assert found["store", "results"]["detail"].startswith("1 result, ")


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "duckdb>=2.0",
        "click<1",
        'pydantic>=2; extra == "local"',
        "nowhere-x>=1; extra == 'vllm'",
        "pytest; extra == 'dev'",
    ]
    monkeypatch.setattr(diagnosis.metadata, "requires", lambda _: lines)


@pytest.mark.usefixtures("declared")
def test_extras_say_how_to_get_them(shop: Path) -> None:
    found = findings(shop)
    assert found["versions", "duckdb"]["status"] == "ok"
    assert found["versions", "click"]["status"] == "missing"
    assert found["extras", "local"]["status"] == "ok"
    assert found["extras", "vllm"]["status"] == "absent"
    assert found["extras", "vllm"]["fix"] == "pip install 'llm_i2i[vllm]'"
    assert ("extras", "dev") not in found


@pytest.mark.usefixtures("declared")
def test_an_extra_that_the_language_model_needs_is_missing(shop: Path) -> None:
    found = findings(shop, "--vars", "{language_model: served}")
    assert found["extras", "vllm"]["status"] == "missing"


@pytest.mark.parametrize(
    ("version", "versions", "met"),
    [
        ("2.13.0+cpu", ">=2.6", True),
        ("2.5", ">=2.6", False),
        ("2.10", ">=2.9", True),
        ("2.0.0", "==2.0", True),
        ("3.0", ">=2,<3", False),
        ("1.0", "", True),
        ("weird", ">=1", False),
    ],
)
def test_versions_compare_as_numbers(version: str, versions: str, met: bool) -> None:
    assert satisfies(version, versions) is met


def test_requirements_are_read_as_metadata_writes_them() -> None:
    line = "transformers[torch]<6,>=5.0; python_version > '3' and extra == 'local'"
    assert parse_requirement(line) == Requirement("transformers", "<6,>=5.0", "local")
    assert parse_requirement("click>=8.1") == Requirement("click", ">=8.1", "")


@pytest.mark.parametrize(("size", "text"), [(999, "999 B"), (1500, "1.5 kB"), (2e12, "2.0 TB")])
def test_sizes(size: float, text: str) -> None:
    assert size_text(size) == text


def test_weights_of_pretrained_models(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they lie, and, for the model that is chosen, how to get them."""
    monkeypatch.setenv("HF_HUB_CACHE", str(shop / "hub"))
    cached = shop / "hub/models--some--cached/snapshots/1"
    cached.mkdir(parents=True)
    (cached / "model.safetensors").write_bytes(b"weights")
    (shop / "folder").mkdir()
    (shop / "folder/model.safetensors").write_bytes(b"weights")
    entries = "".join(
        f"  {name}: {{pretrained: {pretrained}}}\n"
        for name, pretrained in (("here", "folder"), ("cached", "some/cached"), ("far", "some/model"), ("packed", "package:no_such_package/a.gguf"))
    )  # fmt: skip
    (shop / "project.yml").write_text(PROJECT.strip() + "\n" + entries)
    found = {name: one for (section, name), one in findings(shop).items() if section == "language models"}  # fmt: skip
    assert {name: one["status"] for name, one in found.items()} == {"here": "ok", "cached": "ok", "far": "absent", "packed": "absent"}  # fmt: skip
    assert found["here"]["detail"].endswith("folder, 7 B")
    assert "no weights on this machine" in found["far"]["detail"]
    chosen = findings(shop, "--vars", "{language_model: far}")["language models", "far"]
    assert chosen["status"] == "missing"
    assert chosen["fix"].startswith("hf download some/model")
