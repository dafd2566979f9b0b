"""The files of a project -> Manifest: every model rendered, every reference resolved, every data test a query."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.config.data_tests import DataTestProperties
from llm_i2i.config.loader import LoadedProject, find_files, shown_path
from llm_i2i.config.properties import (
    ModelConfig,
    ModelProperties,
    SeedProperties,
    SourceProperties,
    merge_model_config,
    merge_seed_config,
    parse_model_config,
)
from llm_i2i.config.yaml_text import Place
from llm_i2i.errors import LlmI2iError, ProjectError, closest, raise_all
from llm_i2i.graph.manifest import Manifest, build_manifest, unknown_reference, unknown_source
from llm_i2i.graph.node import Contract, DataCheck, Exposure, Node

if TYPE_CHECKING:
    from llm_i2i.config.exposures import ExposureProperties
    from llm_i2i.render.environment import MacroLibrary
    from llm_i2i.render.renderer import RenderedModel, Renderer

SEED_FILES = "seeds"  # the source whose tables are the files of the seeds


def make_renderer(project: LoadedProject, vars: Mapping[str, Any], target_name: str) -> Renderer:
    """A renderer with the macros and prompts of the project and its packages, and the vars of one invocation."""
    from llm_i2i.render.environment import MacroLibrary
    from llm_i2i.render.prompts import find_prompts
    from llm_i2i.render.renderer import Renderer

    config = project.config
    target = config.target_settings(target_name)
    parts = project.parts
    macros = MacroLibrary.load(
        [part.root / path for part in parts for path in part.config.macro_paths], root=project.root
    )
    _check_documented_macros(parts, macros)
    packages = {
        part.config.name: MacroLibrary.load(
            [part.root / path for path in part.config.macro_paths], root=project.root
        )
        for part in project.packages
    }
    return Renderer(
        vars=vars,
        language_models=config.language_models,
        macros=macros,
        prompts=find_prompts(
            [part.root / path for part in parts for path in part.config.prompt_paths]
        ),
        env=os.environ,
        target={"name": target_name, **target.model_dump(mode="json", exclude_none=True)},
        root=project.root,
        packages={**packages, config.name: macros},
    )


def load_manifest(project: LoadedProject, renderer: Renderer) -> Manifest:
    """Render and connect everything.

    Raises:
        ProjectError: All mistakes of all files together.
    """
    errors: list[LlmI2iError] = []
    nodes: dict[str, Node] = {}
    rendered: dict[str, tuple[str, RenderedModel]] = {}
    for part in project.parts:
        _add_nodes(_sources(project, part, renderer, errors), nodes, errors)
        _add_nodes(_seeds(project, part, errors), nodes, errors)
        models = _render_models(project, part, renderer, rendered, errors)
        rendered |= models
        for name, (path, model) in models.items():
            try:
                node = _model_node(project, part, name, path, model)
                _add_nodes([_with_hooks(node, renderer)], nodes, errors)
            except LlmI2iError as error:
                error.where = error.where or path
                errors.append(error)
    names = {file.stem for part in project.parts for file in _files(part, "model_paths", ".sql")}
    names |= {name for name, node in nodes.items() if node.resource_type == "seed"}
    _check_references(nodes, rendered, names, errors)
    _check_properties(project, names, errors)
    _check_folders(project, errors)
    exposures = _exposures(project, renderer, errors)
    raise_all(errors)
    disabled = {name for name, node in nodes.items() if node.config.get("enabled") is False}
    disabled |= {f"{SEED_FILES}__{n}" for n in disabled if nodes[n].resource_type == "seed"}
    kept = {name: node for name, node in nodes.items() if name not in disabled}
    errors += [
        _reads_disabled(n, read) for n in kept.values() for read in n.reads if read in disabled
    ]
    raise_all(errors)
    checks = _data_checks(project, renderer, kept, errors)
    raise_all(errors)
    return build_manifest(kept, tuple(checks), exposures)


def _reads_disabled(node: Node, read: str) -> ProjectError:
    return ProjectError(
        f"model {node.name!r} reads {read!r}, which is disabled",
        where=node.path,
        found=f"enabled: false for {read!r}",
        fix=f"enable {read!r}, or disable {node.name!r} too",
    )


def _files(part: LoadedProject, paths: str, suffix: str) -> Iterable[Path]:
    return find_files(part.root, getattr(part.config, paths), (suffix,))


def _add_nodes(found: Iterable[Node], into: dict[str, Node], errors: list[LlmI2iError]) -> None:
    for node in found:
        first = into.setdefault(node.name, node)
        if first is not node:
            kinds = node.resource_type, first.resource_type
            errors.append(
                ProjectError(
                    f"{kinds[0]} {node.name!r} exists twice"
                    if kinds[0] == kinds[1]
                    else f"{kinds[0]} {node.name!r} has the name of a {kinds[1]}",
                    where=node.path,
                    found=f"also {first.path}",
                    fix="rename one",
                )
            )


def _render_models(
    project: LoadedProject,
    part: LoadedProject,
    renderer: Renderer,
    before: Mapping[str, tuple[str, RenderedModel]],
    errors: list[LlmI2iError],
) -> dict[str, tuple[str, RenderedModel]]:
    rendered: dict[str, tuple[str, RenderedModel]] = {}
    for file in _files(part, "model_paths", ".sql"):
        path, name = shown_path(file, project.root), file.stem
        if first := rendered.get(name) or before.get(name):
            errors.append(
                ProjectError(
                    f"model {name!r} exists twice",
                    where=path,
                    found=f"also {first[0]}",
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


def _model_node(
    project: LoadedProject, part: LoadedProject, name: str, path: str, model: RenderedModel
) -> Node:
    properties = part.properties.models.get(name)
    folder = _folder(project, part, path, part.config.model_paths)
    config = _model_config(project, part, path, (*folder, name), model, properties)
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
        package=part.config.name,
        fqn=(part.config.name, *folder, name),
        contract=_contract(config.contract is not None and config.contract.enforced, properties),
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
        texts = [renderer.render_expression(hook, node.path, name=node.name) for hook in hooks]
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


def _folder(
    project: LoadedProject, part: LoadedProject, path: str, roots: Iterable[str]
) -> tuple[str, ...]:
    """Folders of a file below the model (or seed) path it stands under."""
    absolute = project.root / path
    own = absolute.relative_to(part.root) if absolute.is_relative_to(part.root) else absolute
    folder = own.parts[:-1]
    for root in roots:
        prefix = Path(root).parts
        if folder[: len(prefix)] == prefix:
            return folder[len(prefix) :]
    return folder


def _model_config(
    project: LoadedProject,
    part: LoadedProject,
    path: str,
    folder: tuple[str, ...],
    model: RenderedModel,
    properties: ModelProperties | None,
) -> ModelConfig:
    layers = part.config.folder_layers(folder)
    if part is not project:
        layers += project.config.folder_layers(folder, part.config.name)
    if properties is not None:
        layers.append(properties.config_layer)
    if model.config:
        layers.append(parse_model_config(model.config, Place(path, model.config_line, 1)))
    return merge_model_config(layers)


def _contract(
    enforced: bool, properties: ModelProperties | SeedProperties | None
) -> Contract | None:
    """What a model promises.

    Raises:
        ProjectError: Nothing is declared to enforce, or constraints without a contract.
    """
    if properties is None or not enforced:
        if properties is not None and next(properties.constraint_tests(), None) is not None:
            raise ProjectError(
                f"{properties.name} has constraints and no enforced contract",
                where=properties.location,
                found="constraints are part of a contract",
                fix="add contract: {enforced: true}, or write data_tests instead",
            )
        if enforced:
            raise ProjectError(
                "a contract is enforced and no columns are declared",
                fix="describe the model in YAML: every column with its data_type",
            )
        return None
    return Contract(
        tuple((c.name, c.data_type or "") for c in properties.columns), properties.location
    )


def source_node_name(source: str, table: str) -> str:
    """Node (and relation) name of a source table."""
    return f"{source}__{table}"


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
    columns = [
        renderer.render_expression(column.name, column.location).sql for column in table.columns
    ]
    file_path = renderer.render_expression(table.path, location).sql
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
        file_path=file_path if part is project else shown_path(part.root / file_path, project.root),
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
        },
        resource_type="source",
        package=part.config.name,
        fqn=(part.config.name, source.name, table_name),
    )


def _seeds(project: LoadedProject, part: LoadedProject, errors: list[LlmI2iError]) -> list[Node]:
    """Two nodes a seed: its CSV file, as a table of the source `seeds`, and the table that models ref()."""
    from llm_i2i.render.relations import relation_name

    nodes: list[Node] = []
    for file in _files(part, "seed_paths", ".csv"):
        path, name = shown_path(file, project.root), file.stem
        properties = part.properties.seeds.get(name)
        folder = (*_folder(project, part, path, part.config.seed_paths), name)
        layers = part.config.seed_layers(folder)
        if part is not project:
            layers += project.config.seed_layers(folder, part.config.name)
        config = merge_seed_config([*layers, *([properties.config_layer] if properties else [])])
        source = source_node_name(SEED_FILES, name)
        try:
            contract = _contract(
                config.contract is not None and config.contract.enforced, properties
            )
        except LlmI2iError as error:
            error.where = error.where or path
            errors.append(error)
            continue
        columns = tuple(c.name for c in properties.columns) if properties else ()
        nodes.append(
            Node(
                name=source,
                path=path,
                materialized="source",
                file_path=path,
                file_format="csv",
                columns=columns,
                config={"delimiter": config.delimiter, "column_types": config.column_types},
                tags=tuple(config.tags),
                resource_type="source",
                package=part.config.name,
                fqn=(part.config.name, SEED_FILES, name),
            )
        )
        nodes.append(
            Node(
                name=name,
                path=path,
                materialized="table",
                sql=f"select * from {relation_name(source)}",
                reads=(source,),
                tags=tuple(config.tags),
                description=properties.description if properties else "",
                columns=columns,
                config={"materialized": "seed", **config.model_dump(mode="json")},
                resource_type="seed",
                package=part.config.name,
                fqn=(part.config.name, *folder),
                contract=contract,
            )
        )
    return nodes


def _exposures(
    project: LoadedProject, renderer: Renderer, errors: list[LlmI2iError]
) -> dict[str, Exposure]:
    found: dict[str, Exposure] = {}
    for part in project.parts:
        for exposure in part.properties.exposures.values():
            if not exposure.config.enabled:
                continue
            try:
                node = _exposure(exposure, part.config.name, renderer)
            except LlmI2iError as error:
                errors.append(error)
                continue
            first = found.setdefault(node.name, node)
            if first is not node:
                errors.append(
                    ProjectError(
                        f"exposure {node.name!r} exists twice",
                        where=node.path,
                        found=f"also {first.path}",
                        fix="rename one",
                    )
                )
    return found


def _exposure(exposure: ExposureProperties, package: str, renderer: Renderer) -> Exposure:
    rendered = [
        renderer.render_expression(f"{{{{ {call} }}}}", exposure.location)
        for call in exposure.depends_on
    ]
    reads = [r.name for one in rendered for r in one.refs]
    reads += [source_node_name(s.source, s.table) for one in rendered for s in one.sources]
    return Exposure(
        name=exposure.name,
        path=exposure.location,
        type=exposure.type,
        owner=exposure.owner.model_dump(mode="json", exclude_none=True),
        reads=tuple(dict.fromkeys(reads)),
        label=exposure.label,
        url=exposure.url,
        maturity=exposure.maturity or "",
        description=exposure.description,
        package=package,
        tags=tuple(dict.fromkeys([*exposure.tags, *exposure.config.tags])),
        config={"meta": {**exposure.meta, **exposure.config.meta}, "enabled": True},
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


def _check_folders(project: LoadedProject, errors: list[LlmI2iError]) -> None:
    """Config of project.yml for a folder or model that is not there reaches nothing: most often a misspelling."""
    for section, roots, suffix in (
        ("models", "model_paths", ".sql"),
        ("seeds", "seed_paths", ".csv"),
    ):
        if not getattr(project.config, section):
            continue
        known: dict[tuple[str, ...], None] = {(): None}
        for part in project.parts:
            for file in _files(part, roots, suffix):
                shown = shown_path(file, project.root)
                path = (*_folder(project, part, shown, getattr(part.config, roots)), file.stem)
                for depth in range(len(path) + 1):
                    known[(part.config.name, *path[:depth])] = None
                    if part is project:
                        known[path[:depth]] = None
        for folder, config in getattr(project.config, section).items():
            if folder not in known and folder != (project.config.name,):
                near = closest("/".join(folder), ["/".join(path) for path in known])
                errors.append(
                    ProjectError(
                        f"config for {'/'.join(folder)!r} under {section}: reaches nothing",
                        where=config.location,
                        found=f"no such folder, model or package among the {section}",
                        fix=f"did you mean {near}?" if near else "correct the name or remove it",
                    )
                )


def _check_documented_macros(parts: Iterable[LoadedProject], macros: MacroLibrary) -> None:
    """YAML about macros must speak of macros that exist, and of arguments that they take."""
    errors: list[LlmI2iError] = []
    for properties in (p for part in parts for p in part.properties.macros.values()):
        name = properties.name
        macro = macros.get(name)
        if macro is None:
            near = closest(name, macros)
            errors.append(
                ProjectError(
                    f"properties describe a macro {name!r} that does not exist",
                    where=properties.location,
                    found=f"{len(list(macros))} macros" + (f", closest {near}" if near else ""),
                    fix=f"did you mean {near}?" if near else "remove the entry or add the macro",
                )
            )
            continue
        for argument in properties.arguments:
            if argument.name not in macro.arguments and not macro.is_open:
                near = closest(argument.name, macro.arguments, count=1)
                errors.append(
                    ProjectError(
                        f"macro {name!r} has no argument {argument.name!r}",
                        where=argument.location,
                        found=f"{macro.signature} at {macro.location}",
                        fix=f"did you mean {near}?" if near else "remove it",
                    )
                )
    raise_all(errors)


def _data_checks(
    project: LoadedProject, renderer: Renderer, nodes: dict[str, Node], errors: list[LlmI2iError]
) -> list[DataCheck]:
    checks: list[DataCheck] = []
    described = {
        name: entry
        for part in project.parts
        for entries in (part.properties.models, part.properties.seeds)
        for name, entry in entries.items()
    }
    for name, node in nodes.items():
        properties = described.get(name)
        if properties is None:
            continue
        tests = [*properties.constraint_tests(), *properties.all_data_tests()]
        grain = node.config.get("grain") or []
        if grain:
            tests.insert(
                0,
                DataTestProperties(
                    test="grain", arguments={"columns": grain}, line=properties.location
                ),
            )
        for test in tests:
            if not test.enabled:
                continue
            try:
                checks.append(_data_check(renderer, name, test))
            except LlmI2iError as error:
                if not error.where:
                    error.where = test.line
                errors.append(error)
    return checks


def _data_check(renderer: Renderer, model: str, test: DataTestProperties) -> DataCheck:
    rendered = renderer.render_data_test(
        test.test, model, test.column, test.arguments, condition=test.where, location=test.line
    )
    reads = [r.name for r in rendered.refs] + [
        source_node_name(s.source, s.table) for s in rendered.sources
    ]
    name = test.name or "_".join([test.test, model, *([test.column] if test.column else [])])
    sql = rendered.sql.strip().rstrip(";")
    if test.limit:
        sql = f"select * from ({sql}\n) limit {test.limit}"
    return DataCheck(
        name,
        model,
        test.column,
        sql,
        tuple(dict.fromkeys([model, *reads])),
        test.line,
        test.severity,
    )
