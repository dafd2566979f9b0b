"""Declared data tests -> DataChecks: generic ones from YAML, singular ones from SQL files, each a query of the rows that break it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llm_i2i.config.data_tests import DataTestProperties, parse_data_test_config
from llm_i2i.config.loader import LoadedProject, find_files, shown_path
from llm_i2i.config.yaml_text import Place
from llm_i2i.errors import LlmI2iError, ProjectError
from llm_i2i.graph.manifest import unknown_reference, unknown_source
from llm_i2i.graph.node import DataCheck, Node, source_node_name
from llm_i2i.graph.unit_tests import FIXTURES

if TYPE_CHECKING:
    from llm_i2i.render.renderer import RenderedModel, Renderer

GENERIC = "generic"  # folder below a test path whose macros are generic tests, as in dbt


def load_data_checks(
    project: LoadedProject,
    renderer: Renderer,
    nodes: Mapping[str, Node],
    names: Collection[str],
    errors: list[LlmI2iError],
) -> list[DataCheck]:
    """All data tests of enabled nodes; mistakes go to `errors`.

    Args:
        nodes: Enabled nodes; a singular test that reads a disabled one is left out.
        names: Of all nodes, disabled ones too.
    """
    checks: list[DataCheck] = []
    declared = _declared(project)
    for name, node in nodes.items():
        for test in [*_grain(project, name, node), *declared.get(name, [])]:
            if not test.enabled:
                continue
            try:
                checks.append(_generic(renderer, node, test))
            except LlmI2iError as error:
                error.where = error.where or test.line
                errors.append(error)
    for file in _singular_files(project):
        try:
            check = _singular(project, renderer, file, nodes, names)
        except LlmI2iError as error:
            errors.append(error)
            continue
        if check is not None:
            checks.append(check)
    return checks


def _declared(project: LoadedProject) -> Mapping[str, list[DataTestProperties]]:
    """Node -> the tests that YAML declares on it, of the project and its packages."""
    found: dict[str, list[DataTestProperties]] = {}
    for part in project.parts:
        for source in part.properties.sources.values():
            for table in source.tables:
                name = source_node_name(source.name, table.name)
                found.setdefault(name, []).extend(table.all_data_tests())
        for entries in (part.properties.models, part.properties.seeds):
            for name, entry in entries.items():
                found[name] = [*entry.constraint_tests(), *entry.all_data_tests()]
    return found


def _grain(project: LoadedProject, name: str, node: Node) -> list[DataTestProperties]:
    """The test that a model has one row for each value of its grain."""
    grain = node.config.get("grain")
    if not grain:
        return []
    places = [
        entries[name].location
        for part in project.parts
        for entries in (part.properties.models, part.properties.seeds)
        if name in entries
    ]
    return [DataTestProperties("grain", {"columns": grain}, line=places[-1])] if places else []


def _generic(renderer: Renderer, node: Node, test: DataTestProperties) -> DataCheck:
    model, values = node.name, node.values
    if test.column and "{" in test.column:  # a source's column may be named by a var
        column = renderer.render_expression(test.column, test.line, values=values).sql
        test = replace(test, column=column)
    rendered = renderer.render_data_test(
        test.test,
        model,
        test.column,
        test.arguments,
        condition=test.where,
        location=test.line,
        values=values,
    )
    # what is declared once for all instances needs a name for each.
    own_name = f"{test.name}_{model}" if test.name and node.family else test.name
    return DataCheck(
        name=own_name or "_".join([test.test, model, *([test.column] if test.column else [])]),
        model=model,
        column=test.column,
        sql=_limited(rendered.sql, test.limit),
        depends_on=tuple(dict.fromkeys([model, *_reads(rendered)])),
        where=test.line,
        severity=test.severity,
        test=test.test,
        fail_calc=test.fail_calc,
        error_if=test.error_if,
        warn_if=test.warn_if,
        store_failures=test.store_failures,
        tags=test.tags,
        description=test.description,
    )


def _reads(rendered: RenderedModel) -> list[str]:
    return [r.name for r in rendered.refs] + [
        source_node_name(s.source, s.table) for s in rendered.sources
    ]


def _limited(sql: str, limit: int | None) -> str:
    sql = sql.strip().rstrip(";")
    return f"select * from ({sql}\n) limit {limit}" if limit else sql


# -- singular --------------------------------------------------------------------------------------


def _singular_files(project: LoadedProject) -> Iterator[Path]:
    for path in project.config.test_paths:
        for file in find_files(project.root, [path], (".sql",)):
            if file.relative_to(project.root / path).parts[0] not in (FIXTURES, GENERIC):
                yield file


def _singular(
    project: LoadedProject,
    renderer: Renderer,
    file: Path,
    nodes: Mapping[str, Node],
    names: Collection[str],
) -> DataCheck | None:
    """A data test that is a file; None if it, or what it reads, is disabled."""
    path = shown_path(file, project.root)
    rendered = renderer.render_model(path, file.read_text(encoding="utf-8-sig"), name=file.stem)
    config = parse_data_test_config(rendered.config, Place(path, rendered.config_line, 1))
    if not config.enabled:
        return None
    reads = list(dict.fromkeys(_reads(rendered)))
    if not reads:
        raise ProjectError(
            f"test {file.stem} reads no model",
            where=path,
            found="no ref() and no source()",
            fix="read models through {{ ref('name') }}, so that the test runs when they are built",
        )
    for reference in rendered.refs:
        if reference.name not in names:
            raise unknown_reference(reference.name, nodes, f"{path}:{reference.line}")
    for source in rendered.sources:
        if source_node_name(source.source, source.table) not in names:
            raise unknown_source(source.source, source.table, nodes, f"{path}:{source.line}")
    if any(name not in nodes for name in reads):
        return None
    sql = rendered.sql
    if config.where:
        sql = f"select * from ({sql.strip().rstrip(';')}\n) where {config.where}"
    return DataCheck(
        name=file.stem,
        model=reads[0],
        column=None,
        sql=_limited(sql, config.limit),
        depends_on=tuple(reads),
        where=path,
        severity=config.severity,
        fail_calc=config.fail_calc,
        error_if=config.error_if,
        warn_if=config.warn_if,
        store_failures=config.store_failures,
        tags=tuple(config.tags),
    )
