"""Finds the first broken line of a CSV or JSON-lines file, for the error message; the engine's own says too little."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from pathlib import Path
from typing import TextIO

SEPARATORS = ",;\t|"


def first_bad_line(path: Path, form: str) -> str:
    """`line 4: 4 fields, the first line has 3`, or why a line is no JSON; empty if no such line is found.

    Args:
        form: csv or json; other formats have no lines.
    """
    find = {"csv": _ragged, "json": _no_json}.get(form)
    if find is None:
        return ""
    try:
        with _open(path) as file:
            return find(file)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error, RecursionError):
        return ""  # broken as a whole, not in a line


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _ragged(file: TextIO) -> str:
    header = file.readline()
    file.seek(0)
    rows = csv.reader(file, delimiter=max(SEPARATORS, key=header.count))
    expected = len(next(rows, []))
    for row in rows:
        if row and len(row) != expected:
            fields = f"{len(row)} field{'' if len(row) == 1 else 's'}"
            return f"line {rows.line_num}: {fields}, the first line has {expected}"
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
