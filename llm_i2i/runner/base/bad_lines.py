"""Finds the first broken line of a CSV or JSON-lines file, for the error message; the engine's own says too little."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import zlib
from pathlib import Path
from typing import TextIO

SEPARATORS = ",;\t|"


def first_bad_line(path: Path, form: str, delimiter: str = "", skip: int = 0) -> str:
    """`line 4: 4 fields, the first line has 3`, or why a line is no JSON; empty if no such line is found.

    Args:
        form: csv or json; other formats have no lines.
        delimiter: Of a CSV file; without one, whichever the first line has most of.
        skip: Lines before the first.
    """
    if form not in ("csv", "json") or len(delimiter) > 1:
        return ""
    try:
        with _open(path) as file:
            return _no_json(file) if form == "json" else _ragged(file, delimiter, skip)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error, RecursionError):
        return ""  # broken as a whole, not in a line


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _ragged(file: TextIO, delimiter: str, skip: int) -> str:
    lines = [file.readline() for _ in range(skip + 1)]
    file.seek(0)
    rows = csv.reader(
        itertools.islice(file, skip, None),
        delimiter=delimiter or max(SEPARATORS, key=lines[-1].count),
    )
    expected = len(next(rows, []))
    for row in rows:
        if row and len(row) != expected:
            fields = f"{len(row)} field{'' if len(row) == 1 else 's'}"
            return f"line {skip + rows.line_num}: {fields}, the first line has {expected}"
    return ""


def _no_json(file: TextIO) -> str:
    for number, line in enumerate(file, start=1):
        if number == 1 and line.lstrip().startswith("["):
            return ""  # one list over many lines: no line is JSON of its own
        try:
            if line.strip():
                json.loads(line)
        except json.JSONDecodeError as error:
            return f"line {number}, column {error.colno}: {error.msg.removesuffix(' at')}"
    return ""
