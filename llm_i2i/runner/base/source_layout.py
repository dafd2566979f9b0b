"""How the files of a source are laid out: the dialect of text files, the columns and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.errors import ProjectError
from llm_i2i.graph.node import Node
from llm_i2i.names import quote_identifier, quote_literal
from llm_i2i.runner.base.column_types import (
    TEXT,
    ColumnLayout,
    class_query,
    id_query,
    kind_of,
    merged_ids,
    needs_look,
    nested_as_text,
    type_of_classes,
    type_of_ids,
)

if TYPE_CHECKING:
    from llm_i2i.engine.duckdb import DuckDBEngine

UNNEST = "unnest it in a staging model, one row an event"
ALL_FILES = 1_000_000  # DuckDB looks at the first 32 JSON files by itself


@dataclass(frozen=True)
class Layout:
    """What was found in the files of a source.

    Attributes:
        dialect: Of CSV files: delim, quote and escape, as text, and header, true or false.
    """

    columns: tuple[ColumnLayout, ...] = ()
    dialect: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> Any:
        return [[astuple(column) for column in self.columns], self.dialect]

    @classmethod
    def of_json(cls, value: Any) -> Layout:
        columns, dialect = value
        return cls(tuple(ColumnLayout(*column) for column in columns), dialect)


def raw_scan(source: Node, form: str, files: Sequence[Path], layout: Layout) -> str:
    """A query over files with their columns as they are found: text of CSV files, JSON values of JSON files."""
    listed = ", ".join(quote_literal(path) for path in files)
    nulls = _null_values(source)
    texts = [column for column in layout.columns if column.is_text]
    replaced = (
        f" replace ({', '.join(_without(c, nulls) for c in texts)})" if nulls and texts else ""
    )
    if form == "csv":
        arguments = _csv_arguments(source, layout.dialect)
        return f"select *{replaced} from read_csv([{listed}]{arguments})"
    if form == "parquet":
        return f"select *{replaced} from read_parquet([{listed}])"
    types = ", ".join(f"{quote_literal(c.name)}: {quote_literal(c.found)}" for c in layout.columns)
    return f"select *{replaced} from read_json([{listed}], columns = {{{types}}})"


def source_layout(source: Node, form: str, files: Sequence[Path], shown: Sequence[Path]) -> Layout:
    """Look at all files of a source.

    Args:
        files: As DuckDB reads them; `shown` are the same as their owner knows them, which may be more.

    Raises:
        EngineError: They cannot be read.
        ProjectError: Files do not fit each other, or a column cannot hold ids.
    """
    from llm_i2i.engine.duckdb import DuckDBEngine

    engine = DuckDBEngine()
    try:
        if form == "parquet":
            return _parquet_layout(source, files, engine)
        if form == "json":
            names = _json_columns(files, engine)
            layout = Layout(tuple(_with_ids(source, ColumnLayout(*c, "")) for c in names))
        else:
            dialect = _dialect(source, files[0], engine)
            scan = raw_scan(source, form, files, Layout(dialect=dialect))
            found = tuple(ColumnLayout(name, TEXT, "") for name, _ in engine.columns(scan))
            layout = Layout(tuple(_with_ids(source, c) for c in found), dialect)
        return _typed(source, form, files, layout, engine)
    finally:
        engine.close()


def _typed(
    source: Node, form: str, files: Sequence[Path], layout: Layout, engine: DuckDBEngine
) -> Layout:
    """The layout of text files with the types that the values of all lines have."""
    for column in layout.columns:
        if column.id_of and _is_nested(column.found):
            raise _no_ids(source, column, f"{column.found}, several values in one row", UNNEST)
    given = {n.lower(): t for n, t in (source.config.get("column_types") or {}).items()}
    texts = [c for c in layout.columns if c.is_text and c.name.lower() not in given]
    types: dict[str, str] = {}
    if texts:
        (classes,) = engine.rows(class_query(raw_scan(source, form, files, layout), texts))
        types = {c.name: type_of_classes(found) for c, found in zip(texts, classes, strict=True)}
    columns = [
        replace(c, read_as=given.get(c.name.lower()) or types.get(c.name) or "" if c.is_text else c.found)
        for c in layout.columns
    ]  # fmt: skip
    return replace(layout, columns=tuple(columns))


# -- CSV -----------------------------------------------------------------------------------------------------------


def _dialect(source: Node, file: Path, engine: DuckDBEngine) -> dict[str, Any]:
    """The separator and the quotes of a CSV file, and whether it names its columns, as declared or as found."""
    reading = source.config.get("reading") or {}
    header = reading.get("header")
    if header is None and (source.columns or reading.get("names")):
        header = not reading.get("names")  # a source that declares columns has them by name
    given = {
        "delim": reading.get("delimiter") or source.config.get("delimiter"),
        "quote": reading.get("quote"),
        "header": header,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if {"delim", "quote", "header"} <= given.keys():
        return given
    arguments = "".join(f", {name} = {_argument(value)}" for name, value in given.items())
    skip = f", skip = {int(reading['skip'])}" if reading.get("skip") else ""
    sniffed = f"sniff_csv({quote_literal(file)}, sample_size = -1{arguments}{skip})"
    ((delim, quote, escape, has_header),) = engine.rows(
        f"select Delimiter, Quote, Escape, HasHeader from {sniffed}"
    )
    if quote in ("", "(empty)"):  # none was met, which is no reason to read one wrongly
        quote = escape = '"'
    found = {"delim": delim, "quote": quote, "header": has_header} | given
    if "quote" not in given:
        found["escape"] = escape if escape not in ("", "(empty)") else found["quote"]
    return found


def _csv_arguments(source: Node, dialect: dict[str, Any]) -> str:
    reading = source.config.get("reading") or {}
    arguments: dict[str, Any] = {
        **dialect,
        "all_varchar": True,
        "files_to_sniff": -1,
        "comment": "",  # a line that begins with # is a line
    }
    if reading.get("names"):
        arguments["names"] = list(reading["names"])
    if reading.get("skip"):
        arguments["skip"] = int(reading["skip"])
    return "".join(f", {name} = {_argument(value)}" for name, value in arguments.items())


def _argument(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(_argument(one) for one in value)}]"
    return str(value) if isinstance(value, int) else quote_literal(str(value))


def _null_values(source: Node) -> list[str]:
    return [str(value) for value in (source.config.get("reading") or {}).get("null_values") or ()]


def _without(column: ColumnLayout, nulls: list[str]) -> str:
    name = quote_identifier(column.name)
    text = f"{name} ->> '$'" if column.found == "JSON" else name
    listed = ", ".join(quote_literal(value) for value in nulls)
    return f"case when {text} in ({listed}) then null else {name} end as {name}"


# -- JSON ----------------------------------------------------------------------------------------------------------


def _json_columns(files: Sequence[Path], engine: DuckDBEngine) -> list[tuple[str, str]]:
    """Each key with the type that it is read with: JSON, so that no value is taken for another, or a nested type."""
    listed = ", ".join(quote_literal(path) for path in files)
    scan = f"select * from read_json([{listed}], sample_size = -1, maximum_sample_files = {ALL_FILES}, union_by_name = true)"
    found = engine.columns(scan)
    return [(name, nested_as_text(t) if _is_nested(t) else "JSON") for name, t in found]


def _is_nested(sql_type: str) -> bool:
    return sql_type.endswith("]") or sql_type.startswith(("STRUCT(", "MAP("))


# -- Parquet -------------------------------------------------------------------------------------------------------


def _parquet_layout(source: Node, files: Sequence[Path], engine: DuckDBEngine) -> Layout:
    scan = raw_scan(source, "parquet", files, Layout())
    found = engine.columns(scan)
    _check_files_agree(source, files, engine)
    columns = [_with_ids(source, ColumnLayout(name, t, t)) for name, t in found]
    ids = [column for column in columns if column.id_of]
    is_empty = bool(ids) and engine.rows(f"select count(*) from ({scan}) as files") == [(0,)]
    read = {c.name: "" if is_empty else _read_ids(source, c, scan, engine) for c in ids}
    return Layout(tuple(replace(c, read_as=read.get(c.name, c.read_as)) for c in columns))


def _read_ids(source: Node, column: ColumnLayout, scan: str, engine: DuckDBEngine) -> str:
    """The type of the ids in a Parquet column."""
    facts = None
    if needs_look(column):
        ((first, second),) = engine.rows(id_query(scan, column))
        facts = (first, second)
    found, fix = "", "write the ids as text"
    if merged_ids(column, facts):
        found = f"{column.found} of {facts[1] if facts else 0:.0f}, where neighbouring whole numbers are one"
        fix = "write the ids as text or as BIGINT, from where they are still different"
    elif _is_nested(column.found):
        found = f"{column.found}, several values in one row"
        fix = UNNEST
    elif (read_as := type_of_ids(column, facts)) == "BLOB":
        found = "BLOB: bytes that are neither text nor UUIDs"
    else:
        return read_as
    raise _no_ids(source, column, found, fix)


def _no_ids(source: Node, column: ColumnLayout, found: str, fix: str) -> ProjectError:
    return ProjectError(
        f"column {column.name!r} of source {source.name.replace('__', '.', 1)} cannot hold ids",
        where=source.file_path,
        found=found,
        fix=fix,
    )


def _check_files_agree(source: Node, files: Sequence[Path], engine: DuckDBEngine) -> None:
    """Parquet files are read by the types of the first; those of the others must be the same kinds."""
    first: dict[str, tuple[str, Path]] = {}
    for file in files if len(files) > 1 else ():
        for name, sql_type in engine.columns(f"select * from read_parquet({quote_literal(file)})"):
            other, where = first.setdefault(name.lower(), (sql_type, file))
            if kind_of(other) != kind_of(sql_type):
                raise ProjectError(
                    f"the files of source {source.name.replace('__', '.', 1)} have different types in column {name!r}",
                    where=str(file),
                    found=f"{sql_type} in {file.name}, {other} in {where.name}",
                    fix=f"write {name!r} with one type in all files, ids as text if some are text",
                )


def _with_ids(source: Node, column: ColumnLayout) -> ColumnLayout:
    return replace(column, id_of=(source.config.get("ids") or {}).get(column.name.lower(), ""))
