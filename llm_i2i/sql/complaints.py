"""What to do about a complaint of DuckDB: its message says what is wrong, seldom what helps."""

from __future__ import annotations

import re
from collections.abc import Iterable

from llm_i2i.errors import closest

# Names that DuckDB suggests because it has them, not because anybody meant them.
_INTERNAL = re.compile(r'^Did you mean "(pg_|duckdb_|sqlite_|pragma_|information_schema|main\.)')
_MISSING = re.compile(
    r"(Table|(?:Scalar |Table |Aggregate )?Function) with name \"?([^\s\"]+)\"? does not exist"
)
_NEAR = re.compile(r'syntax error at or near "(.*)"')
_RULES = (
    ("Out of Memory", "raise memory_limit of the target in project.yml, or lower the caps of the model"),
    ("No space left", "free disk space; what is finished is kept"),
    ("Conversion Error", "use try_cast, which gives null, or leave out the rows that do not fit"),
    ("must appear in the GROUP BY", "add it to group by, or take any_value() of it"),
    ("Ambiguous reference", "write the table's name before it: t.column"),
    ("No function matches", "cast the arguments to a type that the function takes"),
    ("end of input", "something is not closed: a bracket, a quote, or a select without its list"),
    ("unterminated", "close the quote"),
    ("division by zero", "divide by nullif(..., 0)"),
)  # fmt: skip


def suggestion(found: str) -> str:
    """What DuckDB offers in place of a name, without the names of its own insides."""
    return "" if _INTERNAL.match(found) else found


def missing_name(what: str) -> tuple[str, str]:
    """(`table` or `function`, name) where the complaint is that there is none; empty otherwise."""
    match = _MISSING.search(what)
    if not match:
        return "", ""
    return ("table" if match[1] == "Table" else "function"), match[2]


def sql_fix(what: str, found: str = "", *, functions: Iterable[str] = ()) -> str:
    """What to do about a complaint; empty if nothing better is known than to correct the SQL.

    Args:
        found: What DuckDB offers, as `Did you mean "x"?` or `Candidate bindings: ...`.
        functions: Functions that DuckDB does not know of: UDFs.
    """
    kind, name = missing_name(what)
    if kind == "function":
        own = closest(name, functions, count=1)
        theirs = re.search(r'Did you mean "(\w+)"', found)
        near = own or (closest(name, [theirs[1]], count=1) if theirs else "")
        return f"did you mean {near}?" if near else "define a UDF of this name, or use another function"  # fmt: skip
    if "Candidate" in found and "Referenced column" in what:
        return "use one of the candidates, or add the column upstream"
    for words, fix in _RULES:
        if words in what:
            return fix
    if place := _NEAR.search(what):
        return f"look at {place[1]!r} and at what stands before it"
    return ""
