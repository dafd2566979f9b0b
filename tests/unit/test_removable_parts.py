"""The reference project without its parts for semantic ids and for A/B tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.config.loader import LoadedProject, load_project
from llm_i2i.config.vars import merge_vars
from llm_i2i.errors import LlmI2iError
from llm_i2i.graph.load import load_manifest, make_renderer
from llm_i2i.graph.manifest import Manifest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> LoadedProject:
    folder = tmp_path_factory.mktemp("project")
    for name in ("models", "project", "udfs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "project/project.yml"
    text = file.read_text()
    for name in ("online", "semantic_ids"):
        text = text.replace(f", {name}", "")
    file.write_text(text)
    for name in ("online", "semantic_ids"):
        shutil.rmtree(folder / "models" / name)
    return load_project(folder)


def manifest(project: LoadedProject, **vars: Any) -> Manifest:
    return load_manifest(
        project, make_renderer(project, merge_vars(project.var_settings, vars), "dev")
    )


def test_no_model_and_no_var_of_theirs_exists(without: LoadedProject) -> None:
    names = {*manifest(without).nodes, *without.var_settings.declared}
    assert {"i2i_index", "item_terms", "item_ids"} <= names
    assert not [name for name in names if name.startswith(("online", "semantic"))]


def test_semantic_ids_are_refused_in_words(without: LoadedProject) -> None:
    with pytest.raises(LlmI2iError, match=r"add semantic_ids to parts: in project\.yml"):
        manifest(without, item_ids="semantic", language_model="tiny-llama")
