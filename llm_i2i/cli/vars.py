"""`llmi2i vars`: the vars of a project, what each is now and which of the places that may set it has done so."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from llm_i2i.cli.output import line_width
from llm_i2i.config.loader import load_project
from llm_i2i.config.project import parse_vars_argument
from llm_i2i.config.vars import VarDeclaration, Vars, merge_vars
from llm_i2i.errors import ProjectError, closest
from llm_i2i.graph.node import Node
from llm_i2i.runner.project import Project

_VALUE_WIDTH, _ORIGIN_WIDTH = 24, 30  # beside names these leave no line longer than 80 characters


def list_vars(project_dir: Path, vars_text: str, output: str) -> None:
    """Every var in the groups it is declared in. No model is rendered."""
    settings = load_project(project_dir).var_settings
    found = merge_vars(settings, parse_vars_argument(vars_text))
    rows = [_row(found, name) for name in found]
    if output == "json":
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1, default=str))
        return
    rows.sort(key=lambda row: row["group"])
    for number, (group, members) in enumerate(groupby(rows, lambda row: str(row["group"]))):
        click.echo(("\n" if number else "") + (group or "not declared"))
        for line in _group_lines(list(members)):
            click.echo(line)


def show_var(project: Project, name: str, output: str) -> None:
    """All that is known of one var, the models that read it among it.

    Raises:
        ProjectError: The project has no such var.
    """
    found = merge_vars(project.loaded.var_settings, _given(project))
    if name not in found:
        near = closest(name, found, count=1)
        raise ProjectError(
            f"there is no var '{name}'",
            found=f"{len(found)} vars" + (f", closest {near}" if near else ""),
            fix=f"did you mean {near}?" if near else "llmi2i vars lists them all",
        )
    row = {**_row(found, name), **_details(found, name)}
    manifest = project.manifest
    row["read_by"] = _readers(name, manifest.nodes)
    row["read_by_disabled"] = _readers(name, manifest.disabled)
    if output == "json":
        click.echo(json.dumps(row, ensure_ascii=False, indent=1, default=str))
        return
    for line in _detail_lines(row):
        click.echo(line)


def _readers(name: str, nodes: Mapping[str, Node]) -> list[str]:
    return sorted(node.name for node in nodes.values() if name in node.inputs.get("vars", {}))


def _given(project: Project) -> dict[str, Any]:
    """What the command line said of vars."""
    return dict(project.vars.cli) if isinstance(project.vars, Vars) else {}


def _row(found: Vars, name: str) -> dict[str, Any]:
    declaration = found.settings.declared.get(name)
    return {
        "name": name,
        "group": declaration.group if declaration else "",
        "value": found[name],
        "origin": _origin(found, name),
        "help": declaration.help if declaration else "",
    }


def _origin(found: Vars, name: str) -> str:
    origin = found.origins[name]
    declaration = found.settings.declared.get(name)
    choosers = declaration.preset if declaration else []
    return f"preset {origin}" if origin.partition(": ")[0] in choosers else origin


def _details(found: Vars, name: str) -> dict[str, Any]:
    settings = found.settings
    declaration = settings.declared.get(name) or VarDeclaration()
    values = [
        *(declaration.values or []),
        *settings.names.get(declaration.values_of or "", []),
    ]
    return {
        "default": declaration.default,
        "type": declaration.kind if name in settings.declared else "any",
        "values": values,
        "min": declaration.min,
        "max": declaration.max,
        "nullable": declaration.nullable,
        "presets": [
            {"chooser": f"{chooser}: {value}", "value": given[name]}
            for chooser in declaration.preset
            for value, given in settings.presets.get(chooser, {}).items()
            if name in given
        ],
        "declared_at": declaration.location if name in settings.declared else settings.where,
    }


def _shown(value: Any) -> str:
    """A value as YAML has it, on one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _group_lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Name, value and origin on one line; the help below it, which no terminal is then too narrow for."""
    names = max(len(row["name"]) for row in rows)
    values = min(_VALUE_WIDTH, max(len(_shown(row["value"])) for row in rows))
    for row in rows:
        value = _short(_shown(row["value"]), values)
        origin = _short(row["origin"], _ORIGIN_WIDTH)
        yield f"  {row['name']:<{names}}  {value:<{values}}  {origin}".rstrip()
        yield from _wrapped(row["help"], "      ")


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, max(line_width(), 40), initial_indent=indent, subsequent_indent=indent
    )


def _detail_lines(row: dict[str, Any]) -> Iterator[str]:
    yield f"{row['name']}: {_shown(row['value'])}  ({row['origin']})"
    yield from _wrapped(row["help"], "  ")
    limits = [f"{word} {row[word]}" for word in ("min", "max") if row[word] is not None]
    limits += ["or null"] if row["nullable"] else []
    facts = {
        "default": _shown(row["default"]),
        "type": ", ".join([row["type"], *limits]),
        "values": ", ".join(map(_shown, row["values"])),
        "declared at": row["declared_at"],
    }
    for key, text in facts.items():
        if text:
            yield f"  {key:<12}{text}"
    if row["presets"]:
        yield "  presets"
        width = max(len(one["chooser"]) for one in row["presets"])
        for one in row["presets"]:
            yield f"    {one['chooser']:<{width}} -> {_shown(one['value'])}"
    disabled = ", ".join(row["read_by_disabled"])
    nobody = "no model that is enabled" if disabled else "no model"
    yield from _wrapped("read by     " + (", ".join(row["read_by"]) or nobody), "  ")
    if disabled:
        yield from _wrapped(f"disabled    {disabled}", "  ")
