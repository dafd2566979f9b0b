"""The handbook's reference pages, made from the code: `python -m llm_i2i.cli.reference FOLDER`, as `make docs` does."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from llm_i2i import errors
from llm_i2i.api import Project
from llm_i2i.cli import words
from llm_i2i.cli.group import MODULES
from llm_i2i.cli.main import cli
from llm_i2i.config.vars import VarDeclaration
from llm_i2i.docs_site.catalog import read_catalog
from llm_i2i.udf.signature import Signature

MADE = "*Made from the code by `make docs`.*"
PROSE_OF_DOCSTRINGS = ("Args:", "Raises:", "Returns:", "Attributes:")  # where the rest is for whoever reads the code  # fmt: skip


def commands_page() -> str:
    """Every command with its arguments and options, as `--help` has them."""
    context = click.Context(cli, info_name="llmi2i")
    found = [_title("Commands", "Each command says the same with `--help`.")]
    for heading, names in MODULES.values():
        found.append(f"## {heading}")
        for name in names.split():
            if (command := cli.get_command(context, name)) is not None:
                found += _command(command, click.Context(command, parent=context, info_name=name))
    return _joined(found)


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"### {context.command_path}"
    yield f"```\n{command.get_usage(context).removeprefix('Usage: ')}\n```"
    yield _plain(inspect.cleandoc(command.help or ""))
    records = [r for p in command.get_params(context) if (r := p.get_help_record(context))]
    if records:
        yield table(("option", "meaning"), [(f"`{flags}`", text) for flags, text in records])
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _command(child, click.Context(child, parent=context, info_name=name))


def vars_page(declared: Mapping[str, VarDeclaration]) -> str:
    """Every var in the part it is declared in, with its default and the values that it may have."""
    found = [
        _title(
            "Vars",
            "The settings of the reference project. `llmi2i vars NAME` says what one is in your project, where its value comes from and which models read it.",
        )
    ]
    rows = sorted(declared.items(), key=lambda item: item[1].group)
    for group, members in groupby(rows, lambda item: item[1].group):
        found.append(f"## {group or 'Others'}")
        found.append(
            table(
                ("var", "default", "values", "what it is"),
                [
                    (f"`{name}`", _code(var.default), _values(var), var.help)
                    for name, var in members
                ],
            )
        )
    return _joined(found)


def _values(var: VarDeclaration) -> str:
    """What a var may be, in words."""
    if var.values or var.values_of:
        listed = ", ".join(_code(value) for value in var.values or [])
        named = f"entries of the list `{var.values_of}`" if var.values_of else ""
        return ", ".join(part for part in (listed, named) if part)
    bounds = [f"at least {var.min}"] * (var.min is not None) + [f"at most {var.max}"] * (
        var.max is not None
    )
    return ", ".join([var.kind, *bounds, *["or null"] * var.nullable])


def tables_page(nodes: Iterable[dict[str, Any]]) -> str:
    """Every source and table in build order, with its file, grain and columns."""
    found = [
        _title(
            "Tables and columns",
            "Sources, then the tables of the reference project in the order in which they are built. [The models](../models.md) explains them step by step.",
        )
    ]
    for node in nodes:
        grain = ", ".join(f"`{column}`" for column in node["grain"])
        found.append(f"## {node['name']}")
        found.append(
            f"`{node['path']}` ({node['kind']}{'; one row for each ' if grain else ''}{grain})"
        )
        found.append(_plain(node["description"]))
        columns = [(f"`{c['name']}`", c["type"], c["description"]) for c in node["columns"]]
        if columns:
            found.append(table(("column", "type", "meaning"), columns))
    return _joined(found)


def udfs_page(project: Project) -> str:
    """Every Python function that SQL calls, with its arguments and what it gives."""
    found = [
        _title(
            "UDFs",
            "The Python functions in `udfs/` that SQL calls. A scalar UDF has one value for each row. A batch UDF is called on distinct rows, many at a time, and its answers are kept. A table UDF takes relations and gives one.",
        )
    ]
    for name, signature in sorted(project.udfs.signatures.items()):
        found.append(f"## {signature.name}")
        found.append(f"```sql\n{_call(signature)}\n```")
        found.append(f"A {signature.kind} UDF. {_docstring(project.udfs.function(name))}")
    return _joined(found)


def _call(signature: Signature) -> str:
    """How it is written in SQL, with the types: `f(prompt VARCHAR, model := VARCHAR) -> DOUBLE`."""
    arguments = [
        f"{p.name} := {p.sql_type}{'' if p.required else ' (optional)'}"
        if p.role == "constant"
        else f"{p.name} {p.sql_type}{'' if p.required else ' (optional)'}"
        for p in signature.parameters
    ]
    given = signature.returns
    result = given if isinstance(given, str) else ", ".join(f"{n} {t}" for n, t in given)
    return f"{signature.name}({', '.join(arguments)})\n-> {result}"


def python_page() -> str:
    """The public methods of `llm_i2i.Project` and what they give."""
    found = [_title("Python", _docstring(Project)), "```python\nfrom llm_i2i import Project\n```"]
    for name, value in inspect.getmembers(Project):
        if name.startswith("_"):
            continue
        if isinstance(value, property):
            found += [f"## {name}", _docstring(value)]
        elif callable(value):
            given = [str(p) for p in inspect.signature(value).parameters.values() if p.name != "self"]  # fmt: skip
            call = re.sub(r": '([^']*)'", r": \1", ", ".join(given))  # annotations without quotes
            found += [f"## {name}", f"```python\n{name}({call})\n```", _docstring(value)]
    return _joined(found)


def errors_page() -> str:
    """The classes of our errors and the exit codes of the command."""
    found = [
        _title(
            "Errors",
            "Every error says what is wrong, where, what was found there, and how to fix it. From Python these are the attributes `what`, `where`, `found` and `fix`.",
        ),
        "```\n"
        + errors.LlmI2iError(
            "ref('interaction_train') does not name any model.",
            where="models/augment/generated_items.sql:4:12",
            found="31 models, closest 'interactions_train'",
            fix="write ref('interactions_train')",
        ).render()
        + "\n```",
        table(
            ("exit code", "meaning"),
            [
                ("0", "all went well"),
                ("1", "a node, a test or a gate failed"),
                ("2", "the command could not start, or selected nothing"),
                ("130", "interrupted; the same command goes on where it stopped"),
            ],
        ),
    ]
    classes = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, errors.LlmI2iError)
    ]
    rows = [(f"`{c.__name__}`", str(c.exit_code), _docstring(c)) for c in classes]
    return _joined([*found, table(("class", "exit code", "raised when"), rows)])


def dbt_page() -> str:
    """What users of dbt and SQLMesh look for, and what stands for it here."""
    commands = [(f"`{name}`", text) for name, text in words.COMMANDS.items()]
    options = [(f"`{name}`", text) for name, text in words.OPTIONS.items()]
    return _joined(
        [
            _title(
                "What dbt has",
                "Models, sources, seeds, data tests, unit tests, exposures, macros, hooks, contracts and selection are dbt's, in dbt's words. [The graph](../graph.md) says where they differ. Some commands and options are called otherwise here, or are not needed. Type one, and the program says the same.",
            ),
            "## Commands",
            table(("dbt or SQLMesh", "here"), commands),
            "## Options",
            table(("option", "here"), options),
        ]
    )


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table; a cell is one line, and what it holds is text."""
    lines = [head, ("---",) * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(_plain(text).split()).replace("|", "\\|")


def _plain(text: str) -> str:
    """Text in which nothing is markup but code, which stays as it is."""
    parts = text.split("`")
    return "`".join(
        part if number % 2 else part.replace("<", "&lt;").replace("*", "\\*")
        for number, part in enumerate(parts)
    )


def _code(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f"`{text}`" if text else "empty"


def _docstring(value: Any) -> str:
    """What a docstring says before its lists of arguments and errors, and before examples."""
    lines = (inspect.getdoc(value) or "").splitlines()
    end = next(
        (n for n, line in enumerate(lines) if line in PROSE_OF_DOCSTRINGS or line[:3] == ">>>"),
        len(lines),
    )
    return _plain("\n".join(lines[:end]).strip())


def _title(title: str, text: str) -> str:
    """The head of a page; a search shows these pages before tables of measurements, which hold the same words more often."""
    return f"---\nsearch:\n  boost: 100\n---\n# {title}\n\n{MADE}\n\n{text}"


def _joined(blocks: Iterable[str]) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"


PAGES: dict[str, Callable[[Project], str]] = {
    "commands.md": lambda _: commands_page(),
    "vars.md": lambda project: vars_page(project.loaded.var_settings.declared),
    "tables.md": lambda project: tables_page(read_catalog(project).nodes),
    "udfs.md": udfs_page,
    "python.md": lambda _: python_page(),
    "errors.md": lambda _: errors_page(),
    "dbt.md": lambda _: dbt_page(),
}


def write_pages(project: Project, folder: Path) -> None:
    """Write every page into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(project), encoding="utf-8")


if __name__ == "__main__":
    write_pages(Project.load("."), Path(sys.argv[1]))
