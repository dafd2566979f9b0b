"""The files of a project -> Manifest: every model rendered, every reference resolved, every data test a query."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.config.loader import LoadedProject, find_files, shown_path
from llm_i2i.config.properties import (
    ModelConfig,
    ModelProperties,
    SourceProperties,
    merge_model_config,
    parse_model_config,
)
from llm_i2i.config.yaml_text import Place
from llm_i2i.errors import LlmI2iError, ProjectError, closest, raise_all
from llm_i2i.graph.data_tests import GENERIC, load_data_checks
from llm_i2i.graph.manifest import Manifest, build_manifest, unknown_reference, unknown_source
from llm_i2i.graph.node import Node, source_node_name
from llm_i2i.graph.unit_tests import load_unit_checks

if TYPE_CHECKING:
    from llm_i2i.render.renderer import RenderedModel, Renderer


def make_renderer(project: LoadedProject, vars: Mapping[str, Any], target_name: str) -> Renderer:
    """A renderer with the project's macros and prompts, and the vars of one invocation."""
    from llm_i2i.render.environment import MacroLibrary
    from llm_i2i.render.prompts import find_prompts
    from llm_i2i.render.renderer import Renderer

    config = project.config
    target = config.target_settings(target_name)
    return Renderer(
        vars=vars,
        language_models=config.language_models,
        macros=MacroLibrary.load(
            [
                *(project.root / path for path in config.macro_paths),
                *(project.root / path / GENERIC for path in config.test_paths),
            ],
            root=project.root,
        ),
        prompts=find_prompts([project.root / path for path in config.prompt_paths]),
        env=os.environ,
        target={"name": target_name, **target.model_dump(mode="json", exclude_none=True)},
        root=project.root,
    )


def load_manifest(project: LoadedProject, renderer: Renderer) -> Manifest:
    """Render and connect everything.

    Raises:
        ProjectError: All mistakes of all files together.
    """
    errors: list[LlmI2iError] = []
    nodes = _sources(project, renderer, errors)
    rendered = _render_models(project, renderer, errors)
    for name, (path, model) in rendered.items():
        try:
            nodes[name] = _model_node(project, name, path, model)
        except LlmI2iError as error:
            errors.append(error)
    names = {file.stem for file in find_files(project.root, project.config.model_paths, (".sql",))}
    _check_references(nodes, rendered, names, errors)
    _check_properties(project, names, errors)
    raise_all(errors)
    disabled = {name for name, node in nodes.items() if node.config.get("enabled") is False}
    kept = {name: node for name, node in nodes.items() if name not in disabled}
    checks = load_data_checks(project, renderer, kept, names | nodes.keys(), errors)
    unit_checks = load_unit_checks(project, kept, names | nodes.keys(), errors)
    raise_all(errors)
    return build_manifest(kept, tuple(checks), unit_checks)


def _render_models(
    project: LoadedProject, renderer: Renderer, errors: list[LlmI2iError]
) -> dict[str, tuple[str, RenderedModel]]:
    rendered: dict[str, tuple[str, RenderedModel]] = {}
    for file in find_files(project.root, project.config.model_paths, (".sql",)):
        path, name = shown_path(file, project.root), file.stem
        if name in rendered:
            errors.append(
                ProjectError(
                    f"model {name!r} exists twice",
                    where=path,
                    found=f"also {rendered[name][0]}",
                    fix="rename one",
                )
            )
            continue
        try:
            rendered[name] = (
                path,
                renderer.render_model(path, file.read_text(encoding="utf-8"), name=name),
            )
        except UnicodeDecodeError as error:
            errors.append(
                ProjectError(
                    f"{path} is not UTF-8 text",
                    where=path,
                    found=str(error),
                    fix="save it as UTF-8",
                )
            )
        except LlmI2iError as error:
            errors.append(error)
    return rendered


def _model_node(project: LoadedProject, name: str, path: str, model: RenderedModel) -> Node:
    properties = project.properties.models.get(name)
    config = _model_config(project, path, model, properties)
    reads = [r.name for r in model.refs] + [
        source_node_name(s.source, s.table) for s in model.sources
    ]
    return Node(
        name=name,
        path=path,
        materialized=config.materialized,
        sql=model.sql.rstrip().rstrip(";"),
        reads=tuple(dict.fromkeys(reads)),
        tags=tuple(config.tags),
        description=properties.description if properties else "",
        columns=tuple(c.name for c in properties.columns) if properties else (),
        config=config.model_dump(mode="json"),
        inputs={
            "vars": dict(model.vars),
            "macros": list(model.macros),
            "prompts": list(model.prompts),
        },
        line_of=model.line_map,
    )


def _model_config(
    project: LoadedProject, path: str, model: RenderedModel, properties: ModelProperties | None
) -> ModelConfig:
    folder = Path(path).parts[:-1]
    for model_path in project.config.model_paths:
        prefix = Path(model_path).parts
        if folder[: len(prefix)] == prefix:
            folder = folder[len(prefix) :]
            break
    layers = project.config.folder_layers(folder)
    if properties is not None:
        layers.append(properties.config_layer)
    if model.config:
        layers.append(parse_model_config(model.config, Place(path, model.config_line, 1)))
    return merge_model_config(layers)


def _sources(
    project: LoadedProject, renderer: Renderer, errors: list[LlmI2iError]
) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for source in project.properties.sources.values():
        for table in source.tables:
            try:
                node = _source_node(source, table.name, renderer)
            except LlmI2iError as error:
                errors.append(error)
                continue
            nodes[node.name] = node
    return nodes


def _source_node(source: SourceProperties, table_name: str, renderer: Renderer) -> Node:
    table = source.table(table_name)
    assert table is not None
    location = table.location
    columns = [
        renderer.render_expression(column.name, column.location).sql for column in table.columns
    ]
    return Node(
        name=source_node_name(source.name, table_name),
        path=location,
        materialized="source",
        file_path=renderer.render_expression(table.path, location).sql,
        file_format=table.format,
        tags=tuple(table.tags),
        description=table.description,
        columns=tuple(columns),
    )


def _check_references(
    nodes: dict[str, Node],
    rendered: dict[str, tuple[str, RenderedModel]],
    names: set[str],
    errors: list[LlmI2iError],
) -> None:
    for path, model in rendered.values():
        for reference in model.refs:
            if reference.name not in names:
                errors.append(
                    unknown_reference(
                        reference.name, nodes, _at(path, reference.line, reference.column)
                    )
                )
        for source in model.sources:
            name = source_node_name(source.source, source.table)
            if name not in nodes:
                errors.append(
                    unknown_source(
                        source.source, source.table, nodes, _at(path, source.line, source.column)
                    )
                )


def _at(path: str, line: int, column: int) -> str:
    return ":".join([path, *(str(n) for n in (line, column) if n)])


def _check_properties(project: LoadedProject, names: set[str], errors: list[LlmI2iError]) -> None:
    for name, properties in project.properties.models.items():
        if name not in names:
            near = closest(name, names)
            errors.append(
                ProjectError(
                    f"properties describe a model {name!r} that does not exist",
                    where=properties.location,
                    found=f"{len(names)} models" + (f", closest {near}" if near else ""),
                    fix=f"did you mean {near}?"
                    if near
                    else "remove the entry or add the model's .sql file",
                )
            )
