"""What the terminal shows: tables and JSON on stdout, everything else on stderr."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from llm_i2i.errors import shown_text

MAX_CELL = 60  # characters of one value in a table; --output json shows all of it


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], output: str) -> None:
    """Rows on stdout as `table`, `json` (a list of row objects) or `csv`."""
    columns = _unique(columns)
    if output == "json":
        json.dump(
            [dict(zip(columns, map(plain, row), strict=True)) for row in rows],
            sys.stdout,
            ensure_ascii=False,
            indent=1,
        )
        sys.stdout.write("\n")
    elif output == "csv":
        import csv

        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows(rows)
    else:
        sys.stdout.write(
            render_table(
                columns,
                rows,
                shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else None,
            )
        )


def line_width() -> int:
    """Characters of a line of a listing: those of the terminal, 80 at least and where there is none."""
    return max(80, shutil.get_terminal_size((80, 24)).columns)


def _unique(names: Sequence[str]) -> list[str]:
    """Names with a number behind those that were there before, so that no column hides another."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name] - 1}")
    return result


def render_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None = None
) -> str:
    """Rows as aligned text, numbers to the right; the widest columns are shortened to fit `width` characters."""
    whole = [_is_whole([row[i] for row in rows]) for i in range(len(columns))]
    texts = [[_cell(v, is_whole=w) for v, w in zip(row, whole, strict=True)] for row in rows]
    widths = [max([len(c), *(len(t[i]) for t in texts)]) for i, c in enumerate(columns)]
    while width and sum(widths) + 2 * (len(widths) - 1) > width and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
    numeric = [
        all(isinstance(r[i], (int, float, decimal.Decimal, type(None))) for r in rows)
        and bool(rows)
        for i in range(len(columns))
    ]
    lines = [_line(columns, widths, numeric), "  ".join("-" * w for w in widths)]
    lines += [_line(text, widths, numeric) for text in texts]
    return (
        "\n".join(line.rstrip() for line in lines)
        + f"\n({len(rows):,} row{'' if len(rows) == 1 else 's'})\n"
    )


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    cut = [c if len(c) <= w else c[: w - 1] + "…" for c, w in zip(cells, widths, strict=True)]
    return "  ".join(
        c.rjust(w) if n else c.ljust(w) for c, w, n in zip(cut, widths, numeric, strict=True)
    )


def _is_whole(values: Sequence[Any]) -> bool:
    """Whether a column of floating-point numbers holds whole ones alone, such as ids or times."""
    numbers = [value for value in values if value is not None]
    return bool(numbers) and all(
        isinstance(v, float) and v.is_integer() and abs(v) < 2**53 for v in numbers
    )


def _cell(value: Any, *, is_whole: bool = False) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, float):
        if is_whole:
            return f"{value:.0f}"
        return f"{value:.4f}" if 1e-4 <= abs(value) < 1e12 or value == 0 else f"{value:.4g}"
    text = str(value)
    if not text.isprintable():  # data may not steer a terminal
        text = shown_text(text).replace("\n", "\\n")
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def plain(value: Any) -> Any:
    """A value of a row as JSON can hold it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, (datetime.date, datetime.time, datetime.timedelta)):
        return (
            value.isoformat()
            if not isinstance(value, datetime.timedelta)
            else value.total_seconds()
        )
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)
