"""A project's template functions for tools that render models by themselves, such as SQLFluff."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from llm_i2i.config.loader import load_project
from llm_i2i.config.project import merge_vars
from llm_i2i.graph.load import make_renderer


@lru_cache(maxsize=1)  # a linter asks again for every file
def template_names(project_dir: Path) -> dict[str, Any]:
    """Everything that a model's template can name (ref, var, prompt, the macros ...), with the project's default vars.

    Raises:
        ProjectError: The project's YAML or macros have mistakes.
    """
    loaded = load_project(project_dir)
    renderer = make_renderer(loaded, merge_vars(loaded.config, {}), loaded.config.default_target)
    return renderer.names("model")
