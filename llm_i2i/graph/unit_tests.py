"""Declared unit tests -> UnitChecks whose inputs are resolved; the model itself is rendered only when one runs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.config.loader import LoadedProject, find_files, shown_path
from llm_i2i.config.unit_tests import UnitTestExpect, UnitTestInput, UnitTestProperties
from llm_i2i.config.vars import merge_vars
from llm_i2i.config.yaml_text import YamlList, plain
from llm_i2i.errors import LlmI2iError, ProjectError, ProjectErrors, closest
from llm_i2i.graph.manifest import unknown_reference, unknown_source
from llm_i2i.graph.node import Node, UnitCheck, WrittenRows, source_node_name

if TYPE_CHECKING:
    from llm_i2i.render.renderer import Renderer
    from llm_i2i.render.result import Instance

FIXTURES = "fixtures"  # folder below a test path
_STRING = r"""\s*(?:'([^']+)'|"([^"]+)")\s*"""
_INPUT = re.compile(rf"\s*(ref|source|udf)\({_STRING}(?:,{_STRING})?\)\s*")


def load_unit_checks(
    project: LoadedProject,
    nodes: Mapping[str, Node],
    names: Collection[str],
    errors: list[LlmI2iError],
) -> tuple[UnitCheck, ...]:
    """The unit tests that can run; mistakes go to `errors`.

    Args:
        nodes: Enabled nodes. A unit test of a disabled model, or with a disabled input, is left out.
        names: Of all nodes, disabled ones too.
    """
    checks: list[UnitCheck] = []
    for test in project.properties.unit_tests.values():
        if not test.config.enabled:
            continue
        try:
            check = _unit_check(project, test, nodes, names)
        except LlmI2iError as error:
            error.where = error.where or test.location
            errors.append(error)
            continue
        if all(name in nodes for name in (check.model, *check.given)):
            checks.append(check)
    return tuple(checks)


def render_unit_check(check: UnitCheck, node: Node, renderer: Renderer, root: Path) -> Node:
    """The tested model as the overrides of the test make it.

    Raises:
        ProjectError: An override names no macro, the template fails, or the model reads what is not given.
    """
    _check_macros(check, renderer)
    env = {name: str(value) for name, value in check.env_vars.items()}
    text = (root / node.path).read_text(encoding="utf-8-sig")
    overridden = renderer.overridden(check.vars, check.macros, env)
    instance = _instance(check, node, overridden, text) if node.family else None
    model = overridden.render_model(node.path, text, name=node.name, instance=instance)
    reads = {r.name: f"ref('{r.name}')" for r in model.refs}
    for source in model.sources:
        reads[source_node_name(source.source, source.table)] = (
            f"source('{source.source}', '{source.table}')"
        )
    missing = [written for name, written in reads.items() if name not in check.given]
    if missing:
        raise ProjectError(
            f"unit test {check.name} does not give {', '.join(missing)}",
            where=check.where,
            found=f"{check.model} reads {', '.join(reads.values())}",
            fix=f'add under given:  - {{input: "{missing[0]}", rows: []}}',
        )
    return replace(
        node,
        sql=model.sql.rstrip().rstrip(";"),
        reads=tuple(reads),
        inputs={"vars": dict(model.vars), "macros": list(model.macros)},
        line_of=model.line_map,
    )


def _instance(check: UnitCheck, node: Node, renderer: Renderer, text: str) -> Instance:
    """The tested one of the models of a file: its values may read what the test overrides.

    Raises:
        ProjectError: With the overrides the file has no such model.
    """
    instances = renderer.instances(node.path, text, name=node.family) or []
    for instance in instances:
        if instance.name == node.name:
            return instance
    raise ProjectError(
        f"the overrides of unit test {check.name} leave no model {node.name!r}",
        where=check.where,
        found=f"{node.path} is {', '.join(one.name for one in instances) or 'no model'}",
        fix="correct the overrides, or test another of its models",
    )


def _check_macros(check: UnitCheck, renderer: Renderer) -> None:
    known = list(renderer.macros)
    for name in check.macros:
        if name not in known:
            near = closest(name, known, count=1)
            raise ProjectError(
                f"unit test {check.name} overrides a macro '{name}' that does not exist",
                where=check.where,
                found=f"{len(known)} macros" + (f", closest {near}" if near else ""),
                fix=f"did you mean {near}?" if near else "remove it",
            )


def _unit_check(
    project: LoadedProject,
    test: UnitTestProperties,
    nodes: Mapping[str, Node],
    names: Collection[str],
) -> UnitCheck:
    if test.model not in names:
        near = closest(test.model, names, count=1)
        raise ProjectError(
            f"unit test {test.name} is of a model '{test.model}' that does not exist",
            where=test.location,
            found=f"{len(names)} models and sources" + (f", closest {near}" if near else ""),
            fix=f"did you mean {near}?" if near else "correct the name",
        )
    given: dict[str, WrittenRows] = {}
    mocks: dict[str, WrittenRows] = {}
    for written in test.given:
        kind, name = _input(written, nodes, names)
        into = mocks if kind == "udf" else given
        if name in into:
            raise ProjectError(
                f"unit test {test.name} gives {written.input} twice",
                where=written.location,
                found=f"first at {into[name].where}",
                fix="put all rows under one of them",
            )
        into[name] = _rows(written, project)
    overrides = test.overrides
    _check_vars(project, test)
    return UnitCheck(
        name=test.name,
        model=test.model,
        where=test.location,
        given=given,
        mocks=mocks,
        expect=_rows(test.expect, project),
        vars=overrides.vars,
        macros=overrides.macros,
        env_vars=overrides.env_vars,
        tags=tuple(test.config.tags),
        description=test.description,
    )


def _check_vars(project: LoadedProject, test: UnitTestProperties) -> None:
    try:
        merge_vars(project.var_settings, test.overrides.vars)
    except ProjectError as error:
        for one in error.errors if isinstance(error, ProjectErrors) else [error]:
            one.where = test.location
        raise


def _input(
    written: UnitTestInput, nodes: Mapping[str, Node], names: Collection[str]
) -> tuple[str, str]:
    """('ref', node), ('source', node) or ('udf', lower-case name)."""
    match = _INPUT.fullmatch(written.input)
    words = [word for word in match.groups()[1:] if word] if match else []
    kind = match[1] if match else ""
    if not words or len(words) != {"ref": len(words), "source": 2, "udf": 1}[kind]:
        raise ProjectError(
            "the input of a unit test cannot be read",
            where=written.location,
            found=written.input,
            fix="write ref('model'), source('source', 'table') or udf('function')",
        )
    if kind == "udf":
        return kind, words[0].lower()
    name = words[-1] if kind == "ref" else source_node_name(*words)
    if name not in names:
        raise (
            unknown_reference(name, nodes, written.location)
            if kind == "ref"
            else unknown_source(words[0], words[1], nodes, written.location)
        )
    return kind, name


# -- rows as written -------------------------------------------------------------------------------


def _rows(written: UnitTestInput | UnitTestExpect, project: LoadedProject) -> WrittenRows:
    where = written.location
    value: Any = written.rows
    if written.fixture is not None:
        path = _fixture(written.fixture, written.format, where, project)
        where, value = shown_path(path, project.root), path.read_text(encoding="utf-8-sig")
    if written.format == "sql":
        return WrittenRows(where, sql=str(value).strip().rstrip(";"))
    if written.format == "csv":
        rows = _csv_rows(str(value), where)
        return WrittenRows(
            where, tuple(rows), tuple(f"{where}, row {n + 1}" for n in range(len(rows)))
        )
    places = value.items_at if isinstance(value, YamlList) else []
    return WrittenRows(where, tuple(map(plain, value)), tuple(p.line_only for p in places))


def _csv_rows(text: str, where: str) -> list[dict[str, Any]]:
    """Rows of CSV text; an empty field is None, as in dbt."""
    reader = csv.DictReader(io.StringIO(text.strip()), skipinitialspace=True, strict=True)
    rows: list[dict[str, Any]] = []
    try:
        for row in reader:
            if None in row or None in row.values():
                raise ProjectError(
                    "a row of CSV has not as many fields as the header",
                    where=f"{where}, row {len(rows) + 1}",
                    found=f"header {', '.join(reader.fieldnames or [])}",
                    fix="quote a field that holds a comma",
                )
            rows.append({key.strip(): value.strip() or None for key, value in row.items()})
    except csv.Error as error:
        raise ProjectError(
            "the CSV of a unit test cannot be read", where=where, found=str(error)
        ) from error
    return rows


def _fixture(name: str, form: str, where: str, project: LoadedProject) -> Path:
    folders = [f"{path}/{FIXTURES}" for path in project.config.test_paths]
    files = list(find_files(project.root, folders, (f".{form}",)))
    found = [file for file in files if file.stem == name]
    if len(found) == 1:
        return found[0]
    near = closest(name, (file.stem for file in files), count=1)
    raise ProjectError(
        f"fixture '{name}' {'does not exist' if not found else 'exists twice'}",
        where=where,
        found=", ".join(shown_path(f, project.root) for f in found)
        or f"{len(files)} .{form} files in {', '.join(folders)}"
        + (f", closest {near}" if near else ""),
        fix=f"did you mean {near}?" if near else f"write {folders[0]}/{name}.{form}",
    )
