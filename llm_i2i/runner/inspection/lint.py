"""A project's template functions for tools that render models by themselves, such as SQLFluff."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from llm_i2i.config.loader import load_project, shown_path
from llm_i2i.config.vars import merge_vars
from llm_i2i.graph.load import make_renderer
from llm_i2i.graph.parts import files_of
from llm_i2i.render.columns import ModelText
from llm_i2i.render.environment import INSTANCES


@lru_cache(maxsize=1)  # a linter asks again for every file
def template_names(project_dir: Path) -> dict[str, Any]:
    """Everything that a model's template can name (ref, var, prompt, the macros ...), with the project's default vars.

    A linter gets one set of names for all files, so a file that is several models is linted with the values of one: of
    its first, where no file before it gives a value of that name.

    Raises:
        ProjectError: The project's YAML or macros have mistakes, or a model file's instances() has.
    """
    loaded = load_project(project_dir)
    renderer = make_renderer(
        loaded, merge_vars(loaded.var_settings, {}), loaded.config.default_target
    )
    names = renderer.names("model")
    values: dict[str, Any] = {}
    models: dict[str, ModelText] = {}
    for part in loaded.parts:
        for file in files_of(part, "model_paths", ".sql"):
            path, text = shown_path(file, loaded.root), file.read_text(encoding="utf-8-sig")
            found = renderer.instances(path, text, name=file.stem)
            if found:
                values = {**found[0].values, **values}
                models |= {one.name: ModelText(path, text, one) for one in found}
            else:
                models[file.stem] = ModelText(path, text)
    renderer.know(models)  # columns_of() may ask for any of them

    def instances(*_: Any, **__: Any) -> str:
        """Nothing of the query: what it declares was read before."""
        return ""

    return {**values, **names, INSTANCES: instances}
