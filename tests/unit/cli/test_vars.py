"""`llmi2i vars` and the parts of `llmi2i init`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from llm_i2i.cli.init import choose_parts, init, optional_parts
from llm_i2i.cli.main import cli
from llm_i2i.errors import LlmI2iError, ProjectError

ROOT = Path(__file__).parents[3]
PART = """
vars:
  protocol: {default: standard, values: [standard, paper]}
  triggers: {help: Items that are asked for neighbours., default: 20, min: 1, preset: protocol}
presets:
  protocol: {paper: {triggers: 1}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "models/index").mkdir(parents=True)
    (tmp_path / "project/project.yml").write_text("name: shop\n")
    (tmp_path / "models/index/part.yml").write_text(PART)
    (tmp_path / "models/index/top.sql").write_text(
        "{{ instances([{'n': 1}, {'n': 2}], name='top_{n}') }}\nselect {{ var('triggers') }} + {{ n }} as x\n"
    )
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    result = CliRunner().invoke(cli, ["vars", *arguments, "--project-dir", str(folder)])
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.mark.parametrize(
    ("arguments", "value", "origin"),
    [
        ([], 20, "default"),
        (["--vars", "{protocol: paper}"], 1, "preset protocol: paper"),
        (["--vars", "{protocol: paper, triggers: 7}"], 7, "--vars"),
        (["--vars", "{protocol: paper, triggers: null}"], 1, "preset protocol: paper"),
    ],
)
def test_where_a_value_comes_from(
    shop: Path, arguments: list[str], value: int, origin: str
) -> None:
    rows = {row["name"]: row for row in json.loads(run(shop, "--output", "json", *arguments))}
    assert (rows["triggers"]["value"], rows["triggers"]["origin"]) == (value, origin)
    assert rows["triggers"]["group"] == "index"


def test_the_table_fits_a_narrow_terminal(shop: Path) -> None:
    lines = run(shop).splitlines()
    assert lines[0] == "index"
    assert max(map(len, lines)) <= 80


def test_all_about_one_var(shop: Path) -> None:
    found = json.loads(run(shop, "triggers", "--output", "json"))
    assert found["read_by"] == ["top_1", "top_2"]
    assert found["presets"] == [{"chooser": "protocol: paper", "value": 1}]
    assert found["declared_at"].startswith("models/index/part.yml:4")
    assert "protocol: paper -> 1" in run(shop, "triggers")


def test_a_var_that_only_disabled_models_read(shop: Path) -> None:
    part = shop / "models/index/part.yml"
    part.write_text(part.read_text() + "config: {enabled: \"{{ var('protocol') == 'paper' }}\"}\n")
    found = json.loads(run(shop, "triggers", "--output", "json"))
    assert (found["read_by"], found["read_by_disabled"]) == ([], ["top_1", "top_2"])
    text = run(shop, "triggers")
    assert "read by     no model that is enabled" in text
    assert "disabled    top_1, top_2" in text


def test_a_var_that_list_entries_read(shop: Path) -> None:
    (shop / "models/tops.sql").write_text(
        "{{ instances(entries('tops'), name='t_{n}') }}\nselect {{ least }} as x\n"
    )
    (shop / "models/part.yml").write_text(
        "lists: {tops: [{n: 1, least: \"{{ var('triggers') }}\"}, {n: 2, least: 0}]}\n"
    )
    found = json.loads(run(shop, "triggers", "--output", "json"))
    assert found["read_by"] == ["t_1", "top_1", "top_2"]


def test_an_unknown_var_names_the_nearest(shop: Path) -> None:
    with pytest.raises(LlmI2iError, match="did you mean 'triggers'"):
        run(shop, "trigers")


def test_init_writes_the_parts_asked_for(tmp_path: Path) -> None:
    init(tmp_path / "core")
    init(tmp_path / "more", ["backbones"])
    assert "\nparts: []\n" in (tmp_path / "core/project/project.yml").read_text()
    assert not (tmp_path / "core/models/backbones").exists()
    assert "\nparts: [backbones]\n" in (tmp_path / "more/project/project.yml").read_text()
    assert (tmp_path / "more/models/backbones/part.yml").is_file()


def test_parts_that_do_not_exist() -> None:
    optional = optional_parts(ROOT)
    assert choose_parts(optional, ["all"]) == sorted(optional)
    with pytest.raises(ProjectError, match="did you mean 'backbones'"):
        choose_parts(optional, ["backbone"])
