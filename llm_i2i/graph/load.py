"""The files of a project -> Manifest: every model rendered, every reference resolved, every data test a query."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llm_i2i.config.loader import LoadedProject, shown_path
from llm_i2i.config.properties import (
    ModelConfig,
    ModelProperties,
    SourceProperties,
    SourceTable,
    checked_reading,
    checked_table,
    merge_model_config,
    parse_model_config,
)
from llm_i2i.config.yaml_text import Place
from llm_i2i.errors import LlmI2iError, ProjectError, closest, raise_all
from llm_i2i.graph.contract import declared_contract
from llm_i2i.graph.data_tests import GENERIC, load_data_checks
from llm_i2i.graph.exposures import load_exposures
from llm_i2i.graph.instances import ModelFile, instance_layers, with_instance_properties
from llm_i2i.graph.manifest import Manifest, build_manifest, unknown_reference, unknown_source
from llm_i2i.graph.node import Node, source_node_name
from llm_i2i.graph.parts import files_of, folder_of
from llm_i2i.graph.reach import check_documented_macros, check_folders
from llm_i2i.graph.seeds import SEED_FILES, load_seeds
from llm_i2i.graph.unit_tests import load_unit_checks

if TYPE_CHECKING:
    from llm_i2i.render.cache import RenderCache
    from llm_i2i.render.columns import ModelText
    from llm_i2i.render.renderer import Renderer
    from llm_i2i.render.result import Instance


def make_renderer(
    project: LoadedProject,
    vars: Mapping[str, Any],
    target_name: str,
    cache: RenderCache | None = None,
    weights: Mapping[str, str] | None = None,
) -> Renderer:
    """A renderer with the macros and prompts of the project and its packages, and the vars of one invocation.

    Args:
        cache: What earlier invocations rendered and parsed.
        weights: Names of pretrained models and tokenizers -> digest of their files.
    """
    from llm_i2i.render.environment import MacroLibrary
    from llm_i2i.render.prompts import find_prompts
    from llm_i2i.render.renderer import Renderer

    config = project.config
    target = config.target_settings(target_name)
    parts = project.parts
    macros = MacroLibrary.load(
        [
            *(part.root / path for part in parts for path in part.config.macro_paths),
            *(part.root / path / GENERIC for part in parts for path in part.config.test_paths),
        ],
        root=project.root,
        cache=cache,
    )
    check_documented_macros(parts, macros)
    packages = {
        part.config.name: MacroLibrary.load(
            [part.root / path for path in part.config.macro_paths], root=project.root, cache=cache
        )
        for part in project.packages
    }
    return Renderer(
        vars=vars,
        language_models=config.language_models,
        weights=weights,
        macros=macros,
        prompts=find_prompts(
            [part.root / path for part in parts for path in part.config.prompt_paths]
        ),
        env=os.environ,
        target={"name": target_name, **target.model_dump(mode="json", exclude_none=True)},
        root=project.root,
        packages={**packages, config.name: macros},
        lists=project.all_lists,
        cache=cache,
    )


def load_manifest(project: LoadedProject, renderer: Renderer) -> Manifest:
    """Render and connect everything.

    Raises:
        ProjectError: All mistakes of all files together.
    """
    errors: list[LlmI2iError] = []
    nodes: dict[str, Node] = {}
    rendered: dict[str, ModelFile] = {}
    declared: dict[str, list[str] | None] = {}
    for part in project.parts:
        _add_nodes(_sources(project, part, renderer, errors), nodes, errors)
        _add_nodes(load_seeds(project, part, errors), nodes, errors)
        rendered |= _render_models(project, part, renderer, rendered, declared, errors)
    families = _families(rendered)
    names = {name for found in declared.values() for name in found or ()}
    names |= {name for name, node in nodes.items() if node.resource_type == "seed"}
    names |= {file.stem for part in project.parts for file in files_of(part, "model_paths", ".sql")}
    are_known = None not in declared.values()  # what reads unknown models is no mistake of its own
    if are_known:
        _check_properties(project, names, errors)
    project = with_instance_properties(project, rendered.values(), renderer, errors)
    for part in project.parts:
        built: list[Node] = []
        for file in (file for file in rendered.values() if file.package == part.config.name):
            try:
                built.append(_with_hooks(_model_node(project, part, file, renderer), renderer))
            except LlmI2iError as error:
                error.where = error.where or file.path
                errors.append(error)
        _add_nodes(built, nodes, errors)
    names -= families
    if are_known:
        _check_references(nodes, rendered, names, errors)
        check_folders(project, declared, errors)
    exposures = load_exposures(project, renderer, errors)
    raise_all(errors)
    disabled = {name for name, node in nodes.items() if node.config.get("enabled") is False}
    disabled |= {f"{SEED_FILES}__{n}" for n in disabled if nodes[n].resource_type == "seed"}
    kept = {name: node for name, node in nodes.items() if name not in disabled}
    errors += [
        _reads_disabled(n, read) for n in kept.values() for read in n.reads if read in disabled
    ]
    raise_all(errors)
    checks = load_data_checks(project, renderer, kept, names | nodes.keys(), errors)
    unit_checks = load_unit_checks(project, kept, names | nodes.keys(), errors)
    raise_all(errors)
    properties = {n: one for part in project.parts for n, one in part.properties.models.items()}
    return build_manifest(
        kept,
        tuple(checks),
        unit_checks=tuple(unit_checks),
        exposures=exposures,
        properties=properties,
        disabled={name: node for name, node in nodes.items() if name in disabled},
    )


def _families(rendered: Mapping[str, ModelFile]) -> set[str]:
    """Names of files that are several models, none of which is called so."""
    return {file.stem for file in rendered.values() if file.instance} - rendered.keys()


def _reads_disabled(node: Node, read: str) -> ProjectError:
    return ProjectError(
        f"model {node.name!r} reads {read!r}, which is disabled",
        where=node.path,
        found=f"enabled: false for {read!r}",
        fix=f"enable {read!r}, or disable {node.name!r} too",
    )


def _add_nodes(found: Iterable[Node], into: dict[str, Node], errors: list[LlmI2iError]) -> None:
    # In SQL letter case does not count: one name, one table.
    known = {name.lower(): node for name, node in into.items()}
    for node in found:
        first = known.setdefault(node.name.lower(), node)
        if first is node:
            into[node.name] = node
        elif first.resource_type == node.resource_type:
            errors.append(_twice(node.resource_type, node.name, node.path, first.path))
        else:
            errors.append(
                ProjectError(
                    f"{node.resource_type} {node.name!r} has the name of a {first.resource_type}",
                    where=node.path,
                    found=f"also {first.path}",
                    fix="rename one",
                )
            )


def _twice(kind: str, name: str, path: str, first: str) -> ProjectError:
    fix = "rename one: letter case does not count"
    return ProjectError(f"{kind} {name!r} exists twice", where=path, found=f"also {first}", fix=fix)


def _render_models(
    project: LoadedProject,
    part: LoadedProject,
    renderer: Renderer,
    before: Mapping[str, ModelFile],
    declared: dict[str, list[str] | None],
    errors: list[LlmI2iError],
) -> dict[str, ModelFile]:
    """The models of a project or package that can be rendered, by name.

    Args:
        before: Those of the packages it uses.
        declared: Gets, for each file, the names of its models; None where they cannot be told.
    """
    rendered: dict[str, ModelFile] = {}
    for name, stem, model in _model_texts(project, part, renderer, declared, errors):
        if first := rendered.get(name) or before.get(name):
            errors.append(_twice("model", name, model.path, first.path))
            continue
        try:
            found = renderer.render_model(
                model.path, model.text, name=name, instance=model.instance
            )
        except LlmI2iError as error:
            errors.append(_with_values(error, model.instance, model.path))
            continue
        rendered[name] = ModelFile(name, stem, model.path, part.config.name, found, model.instance)
    return rendered


def _with_values(error: LlmI2iError, instance: Instance | None, path: str) -> LlmI2iError:
    """The error of an instance, which also says where its values are written, if that is another file."""
    if instance is not None and instance.where and not instance.where.startswith(path):
        values = f"{instance.name} has its values from {instance.where}"
        error.found = "; ".join(part for part in (error.found, values) if part)
    return error


def _model_texts(
    project: LoadedProject,
    part: LoadedProject,
    renderer: Renderer,
    declared: dict[str, list[str] | None],
    errors: list[LlmI2iError],
) -> list[tuple[str, str, ModelText]]:
    """The models of a project or package with the stems of their files; the renderer knows them then, for columns_of().

    Args:
        declared: As in `_render_models`.
    """
    from llm_i2i.render.columns import ModelText

    models: list[tuple[str, str, ModelText]] = []
    for file in files_of(part, "model_paths", ".sql"):
        path, stem = shown_path(file, project.root), file.stem
        try:
            text = file.read_text(encoding="utf-8-sig")
            instances = renderer.instances(path, text, name=stem)
        except UnicodeDecodeError as error:
            errors.append(
                ProjectError(
                    f"{path} is not UTF-8 text",
                    where=path,
                    found=str(error),
                    fix="save it as UTF-8",
                )
            )
            continue
        except LlmI2iError as error:
            declared[path] = None
            errors.append(error)
            continue
        declared[path] = [stem] if instances is None else [one.name for one in instances]
        for instance in [None] if instances is None else instances:
            name = instance.name if instance else stem
            models.append((name, stem, ModelText(path, text, instance)))
    renderer.know({name: model for name, _, model in models})
    return models


def _model_node(
    project: LoadedProject, part: LoadedProject, file: ModelFile, renderer: Renderer
) -> Node:
    name, model, instance = file.name, file.model, file.instance
    properties = part.properties.models.get(name)
    folder = folder_of(project, part, file.path, part.config.model_paths)
    config = _model_config(project, part, file, folder, properties, renderer)
    reads = [r.name for r in model.refs] + [
        source_node_name(s.source, s.table) for s in model.sources
    ]
    return Node(
        name=name,
        path=file.path,
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
        package=part.config.name,
        fqn=(part.config.name, *folder, name),
        contract=declared_contract(
            config.contract is not None and config.contract.enforced, properties
        ),
        values=dict(instance.values) if instance else {},
        family=file.stem if instance else "",
        line_of=model.line_map,
    )


def _with_hooks(node: Node, renderer: Renderer) -> Node:
    """The node with its hooks rendered.

    Raises:
        ProjectError: It has hooks and nothing is built of it, or they read what it does not.
    """
    given = {key: node.config[key] for key in ("pre_hook", "post_hook") if node.config[key]}
    if not given:
        return node
    if node.materialized != "table":
        raise ProjectError(
            f"{node.materialized} model {node.name!r} has hooks",
            where=node.path,
            found=f"{', '.join(given)}; materialized: {node.materialized}",
            fix="remove them, or write materialized: table: hooks run when a table is built",
        )
    rendered: dict[str, tuple[str, ...]] = {}
    for key, hooks in given.items():
        texts = [
            renderer.render_expression(hook, node.path, name=node.name, values=node.values)
            for hook in hooks
        ]
        reads = [reference.name for text in texts for reference in text.refs]
        if beside := sorted({*reads} - {*node.reads, node.name}):
            raise ProjectError(
                f"{key} of {node.name!r} reads what the model itself does not",
                where=node.path,
                found=", ".join(beside),
                fix=f"read {', '.join(node.reads) or 'nothing'}, or this",
            )
        rendered[key] = tuple(text.sql.strip().rstrip(";") for text in texts if text.sql.strip())
    return replace(
        node, pre_hook=rendered.get("pre_hook", ()), post_hook=rendered.get("post_hook", ())
    )


def _model_config(
    project: LoadedProject,
    part: LoadedProject,
    file: ModelFile,
    folder: tuple[str, ...],
    properties: ModelProperties | None,
    renderer: Renderer,
) -> ModelConfig:
    layers = [one.file.config for one in part.folders if folder[: len(one.folder)] == one.folder]
    layers += _tree_layers(part, file, folder)
    if part is not project:
        layers += _tree_layers(project, file, folder, part.config.name)
    if properties is not None:
        layers.append(properties.config_layer)
    if file.model.config:
        place = Place(file.path, file.model.config_line, 1)
        layers.append(parse_model_config(file.model.config, place))
    values = file.instance.values if file.instance else {}
    merged = merge_model_config([*layers, *instance_layers(file)])
    flags = {
        name: _flag_value(name, layers, values, file.path, renderer)
        for name in ("enabled", "frozen")
    }
    if values.get("enabled") is False:
        flags["enabled"] = False
    return merged.model_copy(update=flags)


def _tree_layers(
    project: LoadedProject, file: ModelFile, folder: tuple[str, ...], package: str = ""
) -> list[ModelConfig]:
    """What `models:` of a project.yml says of a model; what it says of a file speaks of all the models of that."""
    layers = project.config.folder_layers((*folder, file.stem), package)
    if file.name != file.stem:
        own = project.config.folder_layers((*folder, file.name), package)
        layers += own[len(project.config.folder_layers(folder, package)) :]
    return layers


def _flag_value(
    name: str,
    layers: Sequence[ModelConfig],
    values: Mapping[str, Any],
    path: str,
    renderer: Renderer,
) -> bool:
    """A config that may be an expression, as true or false; of the last layer that gives it."""
    given = [layer for layer in layers if name in layer.model_fields_set]
    if not given:
        return bool(ModelConfig.model_fields[name].default)
    value = getattr(given[-1], name)
    if isinstance(value, bool):
        return value
    where = given[-1].location or path
    found = renderer.evaluated(value, where, values)
    if not isinstance(found, bool):
        raise ProjectError(
            f"the expression of '{name}' gives no true or false",
            where=where,
            found=f"{value} is {found!r}",
            fix="compare with ==, in or is none",
        )
    return found


def _sources(
    project: LoadedProject, part: LoadedProject, renderer: Renderer, errors: list[LlmI2iError]
) -> list[Node]:
    nodes: list[Node] = []
    for source in part.properties.sources.values():
        for table in source.tables:
            try:
                nodes.append(_source_node(project, part, source, table.name, renderer))
            except LlmI2iError as error:
                errors.append(error)
    return nodes


def _source_node(
    project: LoadedProject,
    part: LoadedProject,
    source: SourceProperties,
    table_name: str,
    renderer: Renderer,
) -> Node:
    table = source.table(table_name)
    assert table is not None
    location = table.location
    named = [
        (renderer.render_expression(column.name, column.location).sql, column.id_of)
        for column in table.columns
    ]
    columns = [name for name, _ in named if name]  # the var that names it may be null
    reading = checked_reading(
        {
            key: renderer.evaluated(value, table.reading.location or location)
            for key, value in table.reading.model_dump(exclude_none=True).items()
        },
        location,
    )
    file_path, connected = _place_of(table, renderer)
    if part is not project and not connected and "://" not in file_path:
        file_path = shown_path(part.root / file_path, project.root)
    layers = (source, source.config, table, table.config)
    freshness: dict[str, Any] = {}
    for layer in layers:
        if layer.freshness:
            freshness |= layer.freshness.model_dump(mode="json", exclude_none=True)
    loaded_at = [layer.loaded_at_field for layer in layers if layer.loaded_at_field]
    return Node(
        name=source_node_name(source.name, table_name),
        path=location,
        materialized="source",
        file_path=file_path,
        file_format=table.format,
        tags=tuple(dict.fromkeys(tag for layer in layers for tag in layer.tags)),
        description=table.description,
        columns=tuple(columns),
        config={
            "enabled": source.config.enabled and table.config.enabled,
            "meta": {key: value for layer in layers for key, value in layer.meta.items()},
            "loaded_at_field": renderer.render_expression(loaded_at[-1], location).sql
            if loaded_at
            else None,
            "freshness": freshness or None,
            "ids": {name.lower(): id_of for name, id_of in named if name and id_of},
            "reading": reading,
            "list_separator": table.list_separator,
            **({"source": connected} if connected else {}),
        },
        resource_type="source",
        package=part.config.name,
        fqn=(part.config.name, source.name, table_name),
    )


def _place_of(table: SourceTable, renderer: Renderer) -> tuple[str, dict[str, str]]:
    """Where a source table is, as text, and the table of a connection that it is, if it is one."""
    where = table.location
    if table.source is not None:
        values = table.source.model_dump()
        found: Any = {key: renderer.evaluated(value, where) for key, value in values.items()}
    else:
        found = renderer.evaluated(table.path, where)
    if not isinstance(found, dict):
        return str(found), {}
    connected = checked_table(found, where)
    return f"{connected['connection']}:{connected['table']}", connected


def _check_references(
    nodes: dict[str, Node],
    rendered: Mapping[str, ModelFile],
    names: set[str],
    errors: list[LlmI2iError],
) -> None:
    for file in rendered.values():
        path, model = file.path, file.model
        node = nodes.get(file.name)
        if node is not None and node.config.get("enabled") is False:
            continue  # it may read what a part that is left out would bring
        for reference in model.refs:
            if reference.name not in names:
                unknown = unknown_reference(
                    reference.name, nodes, _at(path, reference.line, reference.column)
                )
                errors.append(_with_values(unknown, file.instance, path))
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
    described = [
        (kind, suffix, entry)
        for part in project.parts
        for kind, suffix, entries in (
            ("model", ".sql", part.properties.models),
            ("seed", ".csv", part.properties.seeds),
        )
        for entry in entries.values()
    ]
    for kind, suffix, properties in described:
        name = properties.name
        if name not in names:
            near = closest(name, names)
            errors.append(
                ProjectError(
                    f"properties describe a {kind} {name!r} that does not exist",
                    where=properties.location,
                    found=f"{len(names)} models" + (f", closest {near}" if near else ""),
                    fix=f"did you mean {near}?"
                    if near
                    else f"remove the entry or add the {kind}'s {suffix} file",
                )
            )
