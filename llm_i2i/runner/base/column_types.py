"""Which type each column of a source's files has.

Ids are text unless every one of them is surely an integer. Of the other columns of text files, numbers and times that cannot be misread have a type
of their own; whatever else there is stays the text that it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from llm_i2i.names import quote_identifier, quote_literal

INTEGER, TEXT = "BIGINT", "VARCHAR"
INSTANT = "INSTANT"  # times with an offset, read as a TIMESTAMP in UTC

# Classes of one value, in the order in which they are tried. A column gets the narrowest type that all its values have.
_TYPES_OF_CLASSES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"integer", "whole"}), INTEGER),
    (frozenset({"integer", "whole", "decimal"}), "DOUBLE"),
    (frozenset({"boolean"}), "BOOLEAN"),
    (frozenset({"date"}), "DATE"),
    (frozenset({"date", "time"}), "TIMESTAMP"),
    (frozenset({"instant"}), INSTANT),
)
_DAY = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}"
_CLOCK = r"[T ]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?"
_ZONE = r" ?(Z|UTC|[+-]\d{2}(:?\d{2})?)"
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_WIDE_INTEGERS = ("UBIGINT", "HUGEINT", "UHUGEINT", "BIGNUM")


@dataclass(frozen=True)
class ColumnLayout:
    """A column as it is found in the files and as it is read.

    Attributes:
        found: Its type in the files; JSON for a column of a JSON file that is not nested.
        read_as: The type that its values have; empty where there is no value.
        id_of: What it holds the ids of, if it does.
    """

    name: str
    found: str
    read_as: str
    id_of: str = ""

    @property
    def is_text(self) -> bool:
        """Whether its values are written as text, so that they have to be looked at."""
        return self.found in (TEXT, "JSON")


def kind_of(sql_type: str) -> str:
    """What types may stand for each other from one Parquet file to the next."""
    if sql_type in (*_INTEGERS, *_WIDE_INTEGERS):
        return "integers"
    if sql_type in ("FLOAT", "DOUBLE"):
        return "floating-point numbers"
    if sql_type.startswith("TIMESTAMP"):
        return "times"
    return "text" if sql_type == TEXT else sql_type


# -- what is found -------------------------------------------------------------------------------------------------


def class_query(scan: str, columns: Sequence[ColumnLayout]) -> str:
    """A query for one row: of each column, a list of the classes that its values have."""
    texts = ", ".join(
        f"{_trimmed(column)} as {quote_identifier(f'c{number}')}"
        for number, column in enumerate(columns)
    )
    classes = ", ".join(
        f"list(distinct {_class_of(f'c{number}', is_id=bool(column.id_of))})"
        for number, column in enumerate(columns)
    )
    return f"select {classes} from (select {texts} from ({scan}) as files) as texts"


def type_of_classes(classes: Iterable[str | None] | None) -> str:
    """The type of a column whose values have these classes; empty if it has no value."""
    found = set(classes or ()) - {None}
    if not found:
        return ""
    return next((sql for known, sql in _TYPES_OF_CLASSES if known >= found), TEXT)


def _class_of(column: str, *, is_id: bool) -> str:
    whole = f"left({column}, -2)"
    tries = {
        # The text that an integer is written as, and no other: 007, 1e5 and +7 are texts of their own.
        "integer": f"cast(try_cast({column} as bigint) as varchar) = {column}",
        "whole": f"ends_with({column}, '.0') and cast(try_cast({whole} as bigint) as varchar) = {whole}",
    }
    if not is_id:
        number = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
        tries |= {
            "decimal": _reads(column, number, "double"),
            "boolean": f"lower({column}) in ('true', 'false')",
            "date": _reads(column, _DAY, "date"),
            "time": _reads(column, _DAY + _CLOCK, "timestamp"),
            "instant": _reads(column, _DAY + _CLOCK + _ZONE, "timestamptz"),
        }
    cases = " ".join(f"when {test} then {quote_literal(name)}" for name, test in tries.items())
    return f"case when {column} is null or {column} = '' then null {cases} else 'text' end"


def _reads(column: str, pattern: str, sql_type: str) -> str:
    return f"regexp_full_match({column}, {quote_literal(pattern)}) and try_cast({column} as {sql_type}) is not null"


def _text(column: ColumnLayout) -> str:
    """A value as text. A whole number of JSON is the same whether it is written 12, 12.0 or 1.2e1."""
    name = quote_identifier(column.name)
    if column.found != "JSON":
        return name
    text = f"({name} ->> '$')"
    return f"case when json_type({name}) = 'DOUBLE' then regexp_replace({text}, '\\.0$', '') else {text} end"


def _trimmed(column: ColumnLayout) -> str:
    return f"trim({_text(column)})"


def id_query(scan: str, column: ColumnLayout) -> str:
    """A query for one row about ids that a Parquet file holds as numbers or bytes.

    It says, of numbers, whether all are whole, and the largest without its sign; of bytes, whether all are text, and whether all are 16 long.
    """
    name = quote_identifier(column.name)
    if column.found == "BLOB":
        facts = f"bool_and(try(decode({name})) is not null), bool_and(octet_length({name}) = 16)"
    else:
        number = f"nullif(cast({name} as double), 'nan')"
        facts = f"bool_and({number} = trunc({number})), max(abs({number}))"
    return f"select {facts} from ({scan}) as files"


def needs_look(column: ColumnLayout) -> bool:
    """Whether the type that a Parquet file gives its ids does not say what they are."""
    return column.found in ("FLOAT", "DOUBLE", "BLOB", *_WIDE_INTEGERS) or column.found.startswith(
        "DECIMAL"
    )


def type_of_ids(column: ColumnLayout, facts: tuple[object, object] | None) -> str:
    """The type of the ids of a Parquet column, `UUID` for 16 bytes that are no text; empty if it has no value."""
    if column.found in _INTEGERS:
        return INTEGER
    if facts is None:
        return TEXT
    first, second = facts
    if first is None:
        return ""
    if column.found == "BLOB":
        return TEXT if first else "UUID" if second else "BLOB"
    assert isinstance(second, float)
    return INTEGER if first and second < 2**63 else TEXT


def merged_ids(column: ColumnLayout, facts: tuple[object, object] | None) -> bool:
    """Whether the ids are floating-point numbers so large that different ids have become one."""
    limit = {"FLOAT": 2.0**24, "DOUBLE": 2.0**53}.get(column.found)
    return limit is not None and facts is not None and bool(facts[0]) and facts[1] > limit  # type: ignore[operator]


# -- how it is read ------------------------------------------------------------------------------------------------


def select_list(
    columns: Sequence[ColumnLayout], ids: Mapping[str, str], list_separator: str | None = None
) -> str:
    """The columns as they are read, each under its type.

    Args:
        ids: The type of the ids of each thing, which all sources that hold such ids have in common.
        list_separator: Lists become text with this between their values, an empty list null; None leaves them lists.
    """
    return ", ".join(
        f"{_read(column, ids, list_separator)} as {quote_identifier(column.name)}"
        for column in columns
    )


def is_as_found(
    columns: Sequence[ColumnLayout], ids: Mapping[str, str], list_separator: str | None = None
) -> bool:
    """Whether the columns are read just as they are in the files."""
    return all(
        _read(column, ids, list_separator) == quote_identifier(column.name) for column in columns
    )


def _read(column: ColumnLayout, ids: Mapping[str, str], list_separator: str | None) -> str:
    name = quote_identifier(column.name)
    if column.id_of:
        return _read_id(column, ids.get(column.id_of, TEXT))
    if list_separator is not None and (column.found.endswith("[]") or column.found == "JSON"):
        return _joined(column, quote_literal(list_separator))
    if not column.is_text:
        return name
    if column.read_as in ("", TEXT):
        return _text(column)
    return _cast(column, column.read_as)


def _read_id(column: ColumnLayout, sql_type: str) -> str:
    name = quote_identifier(column.name)
    if column.is_text:
        if column.read_as != INTEGER:
            return (
                _text(column) if sql_type == TEXT or column.read_as else f"cast(null as {sql_type})"
            )
        number = _cast(column, INTEGER)
        return number if sql_type == INTEGER else f"cast({number} as varchar)"
    if column.found == "BLOB":
        return f"decode({name})" if column.read_as == TEXT else _uuid(name)
    if column.found in ("FLOAT", "DOUBLE"):
        name = f"nullif({name}, 'nan')"
    if column.read_as == INTEGER and column.found not in _INTEGERS:
        name = f"cast({name} as bigint)"
    return name if sql_type == INTEGER else f"cast({name} as varchar)"


def _cast(column: ColumnLayout, sql_type: str) -> str:
    given = f"nullif({_trimmed(column)}, '')"
    if sql_type == INSTANT:
        # DuckDB's cast to timestamp drops the offset.
        return f"make_timestamp(epoch_us(cast({given} as timestamptz)))"
    return f"cast({given} as {sql_type})"


def _uuid(name: str) -> str:
    digits = f"lower(hex({name}))"
    parts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    return " || '-' || ".join(f"substr({digits}, {start}, {length})" for start, length in parts)


def _joined(column: ColumnLayout, separator: str) -> str:
    name = quote_identifier(column.name)
    if column.found == "JSON":
        text = f"array_to_string(cast({name} as varchar[]), {separator})"
        other = _text(column) if column.read_as in ("", TEXT) else None
        if other is None:
            return _cast(column, column.read_as)
        return f"case when json_type({name}) = 'ARRAY' then nullif({text}, '') else {other} end"
    if column.found.endswith("[][]"):  # several paths, of which the first is read
        name = f"{name}[1]"
    return f"nullif(array_to_string(cast({name} as varchar[]), {separator}), '')"


_OF_TEXT = re.compile(
    r"(?<![^ (])(?:DATE|TIME|TIMESTAMP(?:_S|_MS|_NS)?(?: WITH TIME ZONE)?|UUID)(?=$|[\[,)])"
)


def nested_as_text(sql_type: str) -> str:
    """A nested type of a JSON file with text where DuckDB guessed times and UUIDs out of texts."""
    return _OF_TEXT.sub(TEXT, sql_type)
