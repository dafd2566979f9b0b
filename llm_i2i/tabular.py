"""Results as tables: records, Arrow, pandas or polars, made when they are asked for, and HTML for notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.errors import ProjectError

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 50  # rows of a table in a notebook


class Tabular:
    """Something that is a table. A subclass says its `records`, or its `arrow` where rows are many."""

    def records(self) -> list[dict[str, Any]]:
        """A dict for each row."""
        raise NotImplementedError

    def arrow(self) -> pa.Table:
        """As an Arrow table."""
        import pyarrow as pa

        return pa.Table.from_pylist(self.records())

    def df(self) -> Any:
        """As a pandas data frame.

        Raises:
            ProjectError: pandas is not installed.
        """
        try:
            import pandas  # noqa: F401  (Arrow needs it)
        except ModuleNotFoundError as error:
            raise _absent("pandas") from error
        return self.arrow().to_pandas()

    def pl(self) -> Any:
        """As a polars data frame.

        Raises:
            ProjectError: polars is not installed.
        """
        try:
            import polars
        except ModuleNotFoundError as error:
            raise _absent("polars") from error
        return polars.from_arrow(self.arrow())

    def _shown(self, limit: int) -> tuple[list[str], list[Sequence[Any]], int | None]:
        """Columns, first rows, and how many rows there are (None: more than `limit`, nobody counted)."""
        records = self.records()
        columns = list(dict.fromkeys(key for record in records for key in record))
        rows: list[Sequence[Any]] = [
            [record.get(column) for column in columns] for record in records[:limit]
        ]
        return columns, rows, len(records)

    def _repr_html_(self) -> str:
        columns, rows, total = self._shown(SHOWN)
        return html_table(columns, rows, total)


def html_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], total: int | None) -> str:
    """Rows as an HTML table that says how many there are."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    left = (
        f"the first {len(rows):,} rows"
        if total is None
        else f"{len(rows):,} of {total:,} rows"
        if len(rows) < total
        else f"{total:,} row{'' if total == 1 else 's'}"
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p><small>{left}</small></p>"


def _cell(value: Any) -> str:
    if value is None:
        return "<td><i>NULL</i></td>"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        text = f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
        return f'<td style="text-align: right">{text}</td>'
    return f'<td style="text-align: left">{html.escape(str(value))}</td>'


def _absent(package: str) -> ProjectError:
    return ProjectError(f"{package} is not installed", fix=f"pip install {package}")


class Records(Tabular):
    """Rows that are there already."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._rows = list(rows)

    def records(self) -> list[dict[str, Any]]:
        return self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._rows)

    def __repr__(self) -> str:
        return f"<{len(self._rows):,} rows>"


def write_table(table: pa.Table, path: Path) -> None:
    """Rows as an Arrow file."""
    import pyarrow as pa

    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def read_table(path: Path) -> pa.Table:
    """Rows of an Arrow file."""
    import pyarrow as pa

    with pa.ipc.open_file(path) as reader:
        return reader.read_all()
