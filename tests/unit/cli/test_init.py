"""`llmi2i init`: a running project in a new folder, all of it or nothing."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llm_i2i.cli.init import (
    ASSISTANT_PAGES,
    CARRIED,
    carried_root,
    init,
    optional_parts,
    project_name,
)
from llm_i2i.cli.main import cli
from llm_i2i.errors import ProjectError
from llm_i2i.runner.project import Project

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("init") / "my-shop"
    init(folder)
    return folder


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.load(ROOT, target_path=tmp_path_factory.mktemp("reference"))


def test_with_all_parts_it_is_the_reference_project(tmp_path: Path, reference: Project) -> None:
    init(tmp_path / "shop", ["all"])
    project = Project.load(tmp_path / "shop")
    assert project.manifest.dag.order == reference.manifest.dag.order
    assert project.vars == reference.vars


def test_the_core_compiles_without_any_part_and_has_its_own_name(
    shop: Path, tmp_path: Path
) -> None:
    vars = {"language_model": "fake"}  # it sets other vars, too: its judge is a language model
    project = Project.load(shop, vars=vars)
    reference = Project.load(ROOT, vars=vars, target_path=tmp_path)
    assert project.loaded.config.name == "my_shop"
    assert not [part.name for part in project.loaded.folders if part.file.optional]
    assert project.manifest.nodes.keys() < reference.manifest.nodes.keys()
    assert "i2i_index" in project.compile()
    assert not [path for path in shop.iterdir() if "init" in path.name]


@pytest.mark.parametrize(
    "vars",
    [
        {"protocol": "paper", "fusion": "append"},
        {"swing_preset": "paper", "recommender": "swing"},
        {"filter_real": "off", "online": False},
    ],
)
def test_the_core_knows_its_own_vars_alone(shop: Path, vars: dict[str, Any]) -> None:
    known = Project.load(shop).vars
    assert Project.load(shop, vars={n: v for n, v in vars.items() if n in known}).manifest.nodes


def test_the_core_has_no_model_of_an_optional_part(shop: Path) -> None:
    folders = {path.name for path in (shop / "models").iterdir() if path.is_dir()}
    assert not folders & set(optional_parts(ROOT))
    assert "parts: []" in (shop / "project" / "project.yml").read_text()


def test_git_leaves_results_out(shop: Path) -> None:
    assert "target/" in (shop / ".gitignore").read_text().splitlines()


def test_every_yaml_file_names_a_schema_that_is_there(shop: Path) -> None:
    lists = {shop / "project/arms.yml"}  # a list is data of the project: no schema knows its keys
    files = sorted({*shop.rglob("*.yml")} - lists)
    assert len(files) > 10
    for path in files:
        first = path.read_text().splitlines()[0]
        named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
        assert named, path
        schema = json.loads((path.parent / named[1]).read_text())
        assert schema["$schema"].startswith("https://json-schema.org/")


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ProjectError) as error:
        init(tmp_path)
    assert error.value.render() == (
        f"error: the folder is not empty\n  at:    {tmp_path}\n  found: notes.txt\n"
        "  fix:   name a new or empty folder: nothing is ever written over"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("")
    with pytest.raises(ProjectError, match="this is a file"):
        init(tmp_path / "shop")


def test_an_empty_git_repository_is_welcome(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    init(tmp_path)
    assert (tmp_path / "project" / "project.yml").is_file()


def test_a_failed_copy_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("shutil.copy", fail)
    with pytest.raises(ProjectError, match="cannot be written"):
        init(tmp_path / "shop")
    assert not list((tmp_path / "shop").iterdir())


@pytest.mark.parametrize(
    ("folder", "name"), [("my-shop", "my_shop"), ("2024", "project_2024"), ("Käse", "k_se")]
)
def test_names_of_folders_become_identifiers(tmp_path: Path, folder: str, name: str) -> None:
    assert project_name(tmp_path / folder) == name


def test_next_steps_go_to_stderr(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["init", str(tmp_path / "shop")])
    assert done.exit_code == 0
    assert not done.stdout
    assert f"cd {tmp_path / 'shop'}" in done.stderr
    assert "llmi2i build --vars '{language_model: fake}'" in done.stderr


def test_the_wheel_carries_what_init_copies() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    carried = wheel["targets"]["wheel"]["force-include"]
    assert carried == {part: f"llm_i2i/scaffold/{part}" for part in CARRIED}
    assert all((carried_root() / part).exists() for part in CARRIED)


@pytest.mark.parametrize(
    ("asked", "is_there"), [([], False), (["assistant", "controls"], True), (["all"], True)]
)
def test_pages_for_assistants_come_when_asked_for(
    tmp_path: Path, asked: list[str], is_there: bool
) -> None:
    init(tmp_path / "shop", asked)
    assert [(tmp_path / "shop" / page).is_file() for page in ASSISTANT_PAGES] == [is_there] * 2


def test_pages_for_assistants_name_pages_that_a_project_has() -> None:
    text = (ROOT / "llms.txt").read_text(encoding="utf-8")
    named = set(re.findall(r"\]\(([^)]+)\)", text))
    text = (ROOT / "project/docs/assistant.md").read_text(encoding="utf-8")
    named |= {f"project/docs/{page}" for page in re.findall(r"\]\(([^)]+)\)", text)}
    assert "project/docs/assistant.md" in named
    assert named <= set(CARRIED)


@pytest.mark.parametrize("parts", [[], ["all"]])
def test_pages_that_a_new_project_names_are_in_it(tmp_path: Path, parts: list[str]) -> None:
    init(tmp_path / "shop", parts)
    folder = tmp_path / "shop" / "project"
    # the experiments set vars of all parts, so they come with all of them.
    assert (folder / "experiments.yml").is_file() == bool(parts)
    for path in (*folder.glob("*.yml"), *folder.rglob("macros/*.sql")):
        for page in re.findall(r"docs/(\w+\.md)", path.read_text()):
            assert (folder / "docs" / page).is_file(), f"{path.name} names docs/{page}"
