"""Source tables: files found, fingerprinted by content, described."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
from pathlib import Path
from typing import Any

from llm_i2i.engine.base import Columns, Engine
from llm_i2i.errors import EngineError, ProjectError, closest
from llm_i2i.fingerprint import file_digest, fingerprint
from llm_i2i.graph.node import Node
from llm_i2i.names import quote_literal
from llm_i2i.runner.base.bad_lines import first_bad_line
from llm_i2i.store.files import replace_text

READERS = {"parquet": "read_parquet", "csv": "read_csv", "json": "read_json"}
# Types are guessed from all of a text file: ids that are numbers may be followed by text, far below or in the next file.
ALL_LINES = {
    "parquet": "",
    "csv": ", sample_size = -1, files_to_sniff = -1",
    "json": ", sample_size = -1",
}
# One column and no quotes; the separator is a control character, which text files do not hold.
LINES = (
    "select line from read_csv([{files}], columns = {{'line': 'VARCHAR'}}, auto_detect = false, header = false,"
    " delim = '\x01', strict_mode = false, quote = '', escape = '', max_line_size = 16777216) where trim(line) <> ''"
)
FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}


class JsonCache:
    """A small dictionary on disk, written back only if it changed. Losing it costs time, never correctness."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            found = None
        self.values: dict[str, Any] = found if isinstance(found, dict) else {}
        self._saved = set(self.values)

    def save(self) -> None:
        if self.values.keys() != self._saved:
            with contextlib.suppress(OSError):  # a store that may only be read
                replace_text(self._path, json.dumps(self.values))
            self._saved = set(self.values)


class SourceFiles:
    """The files behind a project's sources."""

    def __init__(self, project_dir: Path, digests: JsonCache) -> None:
        self._project_dir = project_dir
        self._digests = digests

    def files(self, source: Node) -> list[Path]:
        """The files of a source, sorted.

        Raises:
            ProjectError: There is none.
        """
        pattern = str(self._project_dir / source.file_path)
        found = (
            [Path(pattern)]
            if Path(pattern).is_file()
            else [Path(p) for p in sorted(glob.glob(pattern, recursive=True))]
        )
        files = [p for p in found if p.is_file()]
        if files:
            return files
        if Path(pattern).is_dir():
            raise ProjectError(
                f"source {source.name.replace('__', '.', 1)} is a folder",
                where=source.path,
                found=source.file_path,
                fix=f"name its files: {source.file_path.rstrip('/')}/*.parquet",
            )
        folder = Path(pattern).parent
        there = [p.name for p in folder.iterdir() if p.is_file()] if folder.is_dir() else []
        near = closest(Path(pattern).name, there)
        raise ProjectError(
            f"source {source.name.replace('__', '.', 1)} has no file",
            where=source.path,
            found=f"nothing at {source.file_path} (looked in {self._project_dir.resolve()})"
            + (f", closest {near}" if near else ""),
            fix="correct the path in the var or YAML; relative paths start at the project's folder",
        )

    def fingerprint(self, source: Node) -> str:
        """Digest of the content (not the place) of all files, and of how they are read."""
        parts = [[self._format(source, path), self._digest(path)] for path in self.files(source)]
        options = _options(source)
        return fingerprint(["source", parts, *([options] if options else [])])

    def save_digests(self) -> None:
        """Remember the digests of files: the next start need not read them again."""
        self._digests.save()

    def file_digests(self, source: Node) -> list[tuple[Path, str]]:
        """Each file with a digest of its content and of how it is read.

        Raises:
            ProjectError: They are text, whose types a file alone does not tell.
        """
        found = []
        for path in self.files(source):
            form = self._format(source, path)
            if form not in ("parquet", "lines"):
                raise ProjectError(
                    f"source {source.name.replace('__', '.', 1)} cannot be read file by file",
                    where=source.path,
                    found=f"{path.name}, a {form} file, whose types are guessed from all files together",
                    fix="write the log as Parquet, or remove partition_by",
                )
            found.append((path, fingerprint([form, self._digest(path)])))
        return found

    def scan(self, source: Node, files: list[Path] | None = None) -> str:
        """A query over the source's files, or some of them."""
        files = files or self.files(source)
        listed = ", ".join(quote_literal(p) for p in files)
        form = self._format(source, files[0])
        if form == "lines":
            return LINES.format(files=listed)
        return f"select * from {READERS[form]}([{listed}]{ALL_LINES[form]}{_options(source)})"

    def parquet_files(self, source: Node) -> list[Path]:
        """The files of a source that is plain Parquet, which every engine reads; none of another."""
        files = self.files(source)
        is_plain = self._format(source, files[0]) == "parquet" and not _options(source)
        return files if is_plain else []

    def columns(self, source: Node, engine: Engine) -> Columns:
        """Names and types of a source's columns.

        Raises:
            ProjectError: The files cannot be read, or a declared column is missing.
        """
        try:
            columns = engine.columns(self.scan(source))
        except EngineError as error:
            raise self.broken_line(source) or ProjectError(
                f"source {source.name.replace('__', '.', 1)} cannot be read",
                where=", ".join(str(p) for p in self.files(source)[:3]),
                found=error.what,
                fix="is it a whole Parquet, CSV or JSON file? set `format:` in YAML if its name does not say",
            ) from error
        try:
            check_declared(source, columns)
        except ProjectError as error:
            raise self.broken_line(source) or error from None
        return columns

    def broken_line(self, source: Node) -> ProjectError | None:
        """An error that names the first broken line of a CSV or JSON-lines file, if there is one."""
        for path in self.files(source):
            found = first_bad_line(path, self._format(source, path))
            if found:
                return ProjectError(
                    f"source {source.name.replace('__', '.', 1)} has a broken line",
                    where=str(path),
                    found=found,
                    fix="mend or remove that line",
                )
        return None

    def _format(self, source: Node, path: Path) -> str:
        if source.file_format != "auto":
            return source.file_format
        suffixes = [s.lower() for s in path.suffixes if s.lower() not in (".gz", ".zst")]
        known = FORMATS.get(suffixes[-1]) if suffixes else None
        if known is None:
            raise ProjectError(
                f"the format of {path.name} is not known from its name",
                where=source.path,
                found=str(path),
                fix=f"set `format:` to {', '.join(READERS)} or lines in YAML, or use one of {', '.join(FORMATS)}",
            )
        return known

    def _digest(self, path: Path) -> str:
        stat = os.stat(path)
        key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ino}"
        if key not in self._digests.values:
            self._digests.values[key] = file_digest(path)
        digest: str = self._digests.values[key]
        return digest


def _options(source: Node) -> str:
    """Arguments of the reader that a seed's config asks for."""
    options = []
    if delimiter := source.config.get("delimiter"):
        options.append(f"delim = {quote_literal(delimiter)}")
    if types := source.config.get("column_types"):
        pairs = ", ".join(f"{quote_literal(n)}: {quote_literal(t)}" for n, t in types.items())
        options.append(f"types = {{{pairs}}}")
    return "".join(f", {option}" for option in options)


def check_declared(source: Node, columns: Columns) -> None:
    """Every column a source declares must be in its files."""
    names = [name for name, _ in columns]
    missing = [c for c in source.columns if c.lower() not in {n.lower() for n in names}]
    if missing:
        one_column = len(names) == 1 and any(separator in names[0] for separator in ",;\t|")
        if one_column or all(re.fullmatch(r"column\d+", name) for name in names):
            raise ProjectError(
                f"the header of source {source.name.replace('__', '.', 1)} was not recognised",
                where=source.file_path,
                found=f"columns {', '.join(names)}",
                fix="write the columns' names on the first line",
            )
        near = closest(missing[0], names, count=1)
        raise ProjectError(
            f"source {source.name.replace('__', '.', 1)} has no column {', '.join(repr(m) for m in missing)}",
            where=source.file_path,
            found=f"columns {', '.join(names)}",
            fix="rename the column in the file, or set the var that names it (user_column, item_column,"
            " order_column; item_columns for the items file) to one of these columns"
            + (f" (closest {near})" if near else ""),
        )
