"""`llmi2i shell`: SQL on the published environment, one statement after the other, read-only as `query` is."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click

from llm_i2i.cli.output import print_rows
from llm_i2i.errors import LlmI2iError, ProjectError, closest
from llm_i2i.runner.project import Project

Tables = Mapping[str, Mapping[str, str]]  # table -> column -> type

HELP = """\
A statement ends with ; and may have many lines; ref() and var() work in it. What is read is always the latest published state.
  \\d         tables          \\d TABLE   columns of a table
  \\o FORMAT  table, json or csv          \\q  leave (also exit, Ctrl-D)
"""
COLUMNS = "select table_name, column_name, data_type from information_schema.columns order by table_name, ordinal_position"
KEYWORDS = (
    "select from where group by order by limit join left join inner join on using having qualify distinct case when then else end "
    "with as and or not in is null between like ilike union all except count sum avg min max round describe summarize "
    "over partition desc asc exclude cast coalesce"
)
_WORD = re.compile(r'[\w."]*$')
_BEFORE_TABLE = re.compile(r"\b(from|join|describe|summarize|ref\(')\s*$", re.IGNORECASE)
_SOURCE = re.compile(r'\b(?:from|join)\s+"?(\w+)"?(?:\s+(?:as\s+)?(?!on\b|using\b|where\b|join\b|left\b|inner\b|group\b|order\b)(\w+))?', re.IGNORECASE)  # fmt: skip


@dataclass(frozen=True)
class Suggestion:
    """What may replace the last `length` characters before the cursor."""

    text: str
    length: int
    meta: str


def suggest(before: str, after: str, tables: Tables) -> Iterator[Suggestion]:
    """What may stand at the cursor, likeliest first: columns behind `alias.`, tables behind FROM, otherwise all.

    Args:
        before: The statement up to the cursor.
        after: The rest of it: a FROM there says whose columns are meant.
    """
    word = _WORD.search(before)
    typed = word[0] if word else ""
    if before.startswith("\\d"):
        yield from _starting(typed, dict.fromkeys(tables, "table"))
        return
    named = {name.lower(): name for name in tables}
    sources: dict[str, str] = {}
    for table, alias in _SOURCE.findall(before + " " + after):
        if table.lower() in named:
            sources[(alias or table).lower()] = named[table.lower()]
            sources.setdefault(table.lower(), named[table.lower()])
    owner, dot, part = typed.rpartition(".")
    if dot:
        table = sources.get(owner.strip('"').lower()) or named.get(owner.strip('"').lower(), "")
        yield from _starting(part, tables.get(table, {}))
    elif _BEFORE_TABLE.search(before[: len(before) - len(typed)]):
        yield from _starting(typed, dict.fromkeys(tables, "table"))
    elif typed:
        mine = {c: f"{kind}, {t}" for t in dict.fromkeys(sources.values()) for c, kind in tables[t].items()}  # fmt: skip
        other = {} if mine else {c: t for t in tables for c in tables[t]}
        words = dict.fromkeys(re.findall(r"\w+", KEYWORDS), "")
        yield from _starting(typed, {**words, **dict.fromkeys(tables, "table"), **other} | mine)


def _starting(typed: str, candidates: Mapping[str, str]) -> Iterator[Suggestion]:
    found = [c for c in candidates if c.lower().startswith(typed.lower())]
    for text in sorted(found, key=lambda c: (candidates[c] == "", candidates[c] == "table")):
        yield Suggestion(text, len(typed), candidates[text])


def read_tables(project: Project) -> dict[str, dict[str, str]]:
    """Tables and columns of the published environment."""
    tables: dict[str, dict[str, str]] = {}
    for table, column, sql_type in project.rows(COLUMNS)[1]:
        tables.setdefault(table, {})[column] = sql_type
    return tables


class Shell:
    """Runs what is typed. `output` is how rows are shown: table, json or csv."""

    def __init__(self, project: Project, output: str, limit: int) -> None:
        self.project = project
        self.output = output
        self.limit = limit
        self.tables = read_tables(project)
        self.failed = False

    def run(self, statement: str) -> bool:
        """Run one statement or command; False if it says goodbye. Errors are printed, and the shell goes on."""
        text = statement.strip().rstrip(";").strip()
        try:
            if text.lower() in ("\\q", "exit", "quit"):
                return False
            if text.lower() == "help":
                click.echo(HELP, nl=False)
            elif text.startswith("\\"):
                self._command(*text.split())
            elif text:
                columns, rows = self.project.rows(text, self.limit)
                print_rows(columns, rows, self.output)
                if len(rows) == self.limit:
                    click.echo(
                        f"(the first {self.limit:,}; llmi2i shell --limit -1 for all)", err=True
                    )
        except LlmI2iError as error:
            self.failed = True
            click.echo(error.render(), err=True)
        return True

    def _command(self, name: str, argument: str = "", *_: str) -> None:
        if name in ("\\d", "\\dt"):
            self.tables = read_tables(self.project)
            if not argument:
                rows = [(t, len(columns)) for t, columns in self.tables.items()]
                print_rows(["table", "columns"], rows, self.output)
            elif argument in self.tables:
                print_rows(["column", "type"], list(self.tables[argument].items()), self.output)
            else:
                near = closest(argument, self.tables)
                fix = f"did you mean {near}?" if near else "\\d lists them"
                raise ProjectError(f"no table is called {argument!r}", fix=fix)
        elif name == "\\o" and argument in ("table", "json", "csv"):
            self.output = argument
        elif name in ("\\h", "\\?", "\\help"):
            click.echo(HELP, nl=False)
        else:
            raise ProjectError(
                f"{' '.join([name, argument]).strip()} is no command", fix="\\? lists them"
            )


def run_shell(project: Project, output: str, limit: int) -> int:
    """Read statements from the terminal, or from a pipe, until the end; returns the exit code."""
    shell = Shell(project, output, limit)
    interactive = sys.stdin.isatty()
    if interactive:
        click.echo(
            f"{len(shell.tables)} tables of environment {project.environment.name}; \\? for help", err=True
        )  # fmt: skip
    read = _reader(shell) if interactive else _read_line
    for statement in statements(read):
        if not shell.run(statement):
            break
    return 1 if shell.failed and not interactive else 0


def statements(read: Callable[[str], str]) -> Iterator[str]:
    """Whole statements out of lines: up to a `;` outside quotes, or a command's one line.

    Args:
        read: Gives the next line for a prompt. KeyboardInterrupt drops what was begun, EOFError ends.
    """
    begun = ""
    while True:
        try:
            line = read("   ... " if begun else "llmi2i> ")
        except KeyboardInterrupt:
            begun = ""
            continue
        except EOFError:
            break
        begun = f"{begun}\n{line}" if begun else line
        if not begun.strip():
            begun = ""
        elif begun.lstrip().startswith("\\") or begun.strip().lower() in ("exit", "quit", "help"):
            yield begun
            begun = ""
        else:
            *whole, begun = _split(begun)
            yield from whole
    if begun.strip():
        yield begun


def _split(text: str) -> list[str]:
    """Statements that `;` ends, and what is left after the last of them."""
    quoted = re.compile(r"'(?:[^']|'')*'?|\"[^\"]*\"?|--[^\n]*|/\*.*?(?:\*/|$)", re.DOTALL)
    bare = quoted.sub(lambda m: "x" * len(m[0]), text)
    parts, start = [], 0
    for place in (i for i, c in enumerate(bare) if c == ";"):
        parts.append(text[start : place + 1])
        start = place + 1
    return [*parts, text[start:] if text[start:].strip() else ""]


def _read_line(prompt: str) -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


def _reader(shell: Shell) -> Callable[[str], str]:
    """prompt_toolkit's prompt with completion and history, or input() where it is not installed."""
    try:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import FileHistory
    except ImportError:
        click.echo("(pip install 'llm_i2i[shell]' for completion and history)", err=True)
        return input
    history = FileHistory(str(shell.project.target_dir / "cache" / "shell_history"))
    session: Any = PromptSession(completer=_completer(shell), history=history)
    return lambda prompt: str(session.prompt(prompt))


def _completer(shell: Shell) -> Any:
    from prompt_toolkit.completion import Completer, Completion

    class Words(Completer):  # type: ignore[misc]
        def get_completions(self, document: Any, complete_event: Any) -> Iterator[Any]:
            before, after = document.text_before_cursor, document.text_after_cursor
            for one in suggest(before, after, shell.tables):
                yield Completion(one.text, start_position=-one.length, display_meta=one.meta)

    return Words()
