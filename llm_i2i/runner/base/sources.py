"""Source tables: files found, fingerprinted by content, described."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import json
import os
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from llm_i2i.engine.base import Columns, Engine
from llm_i2i.errors import EngineError, LlmI2iError, ProjectError, closest
from llm_i2i.fingerprint import file_digest, fingerprint
from llm_i2i.graph.node import Node
from llm_i2i.names import quote_literal
from llm_i2i.runner.base.bad_lines import first_bad_line
from llm_i2i.runner.base.column_types import (
    INTEGER,
    TEXT,
    is_as_found,
    select_list,
)
from llm_i2i.runner.base.source_layout import Layout, raw_scan, source_layout
from llm_i2i.runner.base.text_files import TextFile, examine, write_clean
from llm_i2i.runner.remote.sources import RemoteSources
from llm_i2i.store.files import replace_text

READERS = ("parquet", "csv", "json")
TEXT_FORMS = ("csv", "json", "lines")
# One column and no quotes; the separator is a control character, which text files do not hold.
LINES = (
    "select line from read_csv([{files}], columns = {{'line': 'VARCHAR'}}, auto_detect = false, header = false,"
    " delim = '\x01', strict_mode = false, quote = '', escape = '', max_line_size = 16777216) where trim(line) <> ''"
)
# A new number makes every text source be looked at again: the rules by which types are found have changed.
RULES = 2
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
        self.path = path
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            found = None
        self.values: dict[str, Any] = found if isinstance(found, dict) else {}
        self._saved = set(self.values)

    @property
    def folder(self) -> Path:
        return self.path.parent

    def save(self) -> None:
        if self.values.keys() != self._saved:
            with contextlib.suppress(OSError):  # a store that may only be read
                replace_text(self.path, json.dumps(self.values))
            self._saved = set(self.values)


class SourceFiles:
    """The files behind a project's sources.

    Args:
        remote: Copies of the sources that are somewhere else.
        nodes: The nodes of the project's graph, asked for when they are needed: ids have one type in all sources that hold them.
    """

    def __init__(
        self,
        project_dir: Path,
        digests: JsonCache,
        remote: RemoteSources,
        nodes: Callable[[], Mapping[str, Node]] = dict,
    ) -> None:
        self.remote = remote
        self._project_dir = project_dir
        self._digests = digests
        self._nodes = nodes

    def of(self, nodes: Callable[[], Mapping[str, Node]]) -> SourceFiles:
        """The same files, of a project with other nodes; what was read of them is shared."""
        return SourceFiles(self._project_dir, self._digests, self.remote, nodes)

    def files(self, source: Node) -> list[Path]:
        """The files of a source, sorted.

        Raises:
            ProjectError: There is none.
        """
        if (copies := self.remote.files(source)) is not None:
            return copies
        pattern = str(self._project_dir / Path(source.file_path).expanduser())
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
        ids = self._ids(source)
        return fingerprint(["source", self._content(source), *([ids] if ids else [])])

    def save_digests(self) -> None:
        """Remember what was found in the files: the next start need not read them again."""
        self._digests.save()

    def file_digests(self, source: Node) -> list[tuple[Path, str]]:
        """Each file with a digest of its content and of how it is read.

        Raises:
            ProjectError: They are text, whose types a file alone does not tell.
        """
        found = []
        ids = self._ids(source)
        for path in self.files(source):
            form = self._format(source, path)
            if form not in ("parquet", "lines"):
                raise ProjectError(
                    f"source {source.name.replace('__', '.', 1)} cannot be read file by file",
                    where=source.path,
                    found=f"{path.name}, a {form} file, whose types are guessed from all files together",
                    fix="write the log as Parquet, or remove partition_by",
                )
            found.append((path, fingerprint([form, self.digest(path), *([ids] if ids else [])])))
        return found

    def scan(self, source: Node, files: list[Path] | None = None) -> str:
        """A query over the source's files, or some of them."""
        files = files or self.files(source)
        form = self._format(source, files[0])
        if form == "lines":
            readable = ", ".join(quote_literal(p) for p in self._readable(source, files))
            return LINES.format(files=readable)
        layout = self._layout(source)
        scan = raw_scan(source, form, self._readable(source, files), layout)
        if self._is_as_found(source, layout):
            return scan
        separator = source.config.get("list_separator")
        columns = select_list(layout.columns, self._ids(source), separator)
        return f"select {columns} from ({scan}) as files"

    def parquet_files(self, source: Node) -> list[Path]:
        """The files of a source that is plain Parquet, which every engine reads; none of another."""
        files = self.files(source)
        is_plain = (
            self._format(source, files[0]) == "parquet"
            and not _options(source)
            and self._is_as_found(source, self._layout(source))
        )
        return files if is_plain else []

    def columns(self, source: Node, engine: Engine) -> Columns:
        """Names and types of a source's columns.

        Raises:
            ProjectError: The files cannot be read, or a declared column is missing.
        """
        try:
            columns = engine.columns(self.scan(source))
        except EngineError as error:
            raise self._unreadable(source, error) from error
        try:
            check_declared(source, columns)
        except ProjectError as error:
            raise self.broken_line(source) or error from None
        return columns

    def _unreadable(self, source: Node, error: EngineError) -> ProjectError:
        reason = str(error.__cause__ or error.what).split("\n\n")[0].strip()
        return self.broken_line(source) or ProjectError(
            f"source {source.name.replace('__', '.', 1)} cannot be read",
            where=", ".join(str(p) for p in self.files(source)[:3]),
            found="\n".join(reason.splitlines()[:4]),
            fix="is it a whole Parquet, CSV or JSON file? set `format:` in YAML if its name does not say; encoding, delimiter,"
            " quote, header and skip say how a text file is written (docs/formats.md)",
        )

    def _layout(self, source: Node) -> Layout:
        """What was found in the files of a source; looked for once."""
        key = f"layout|{fingerprint([self._content(source), source.config.get('ids')])}"
        known = self._digests.values.get(key)
        if known is None:
            files = self.files(source)
            form = self._format(source, files[0])
            try:
                layout = source_layout(source, form, self._readable(source, files), files)
            except EngineError as error:
                raise self._unreadable(source, error) from error
            self._digests.values[key] = known = layout.as_json()
        return Layout.of_json(known)

    def _is_as_found(self, source: Node, layout: Layout) -> bool:
        return is_as_found(layout.columns, self._ids(source), source.config.get("list_separator"))

    def _ids(self, source: Node) -> dict[str, str]:
        """The type of the ids that a source holds: integers only where they are so in every source that holds ids of the same things."""
        if not source.config.get("ids") or self._format(source, self.files(source)[0]) == "lines":
            return {}
        types: dict[str, set[str]] = {thing: set() for thing in source.config["ids"].values()}
        nodes = self._nodes()
        read = {parent for node in nodes.values() for parent in node.reads}
        others = [
            n
            for n in nodes.values()
            if n.is_source and n.name in read and n.name != source.name and n.config.get("ids")
        ]
        for node in (source, *others):
            if not types.keys() & set(node.config["ids"].values()):
                continue
            try:
                columns = self._layout(node).columns
            except LlmI2iError:
                if node is source:
                    raise
                continue  # whoever reads the other source is told what is wrong with it
            for column in columns:
                if column.id_of in types and column.read_as:
                    types[column.id_of].add(column.read_as)
        return {thing: INTEGER if found == {INTEGER} else TEXT for thing, found in types.items()}

    def _content(self, source: Node) -> str:
        """Digest of what is in the files and of the settings they are read with."""
        files = self.files(source)
        parts = [[self._format(source, path), self.digest(path)] for path in files]
        rules = [RULES] if any(form in TEXT_FORMS for form, _ in parts) else []
        options = _options(source)
        return fingerprint([parts, *rules, *([options] if options else [])])

    def _readable(self, source: Node, files: Sequence[Path]) -> list[Path]:
        """The files as DuckDB can read them: of text files, those that hold anything, as UTF-8."""
        if self._format(source, files[0]) not in TEXT_FORMS:
            return list(files)
        encoding = str(source.config.get("reading", {}).get("encoding") or "")
        found = [(path, self._text_file(path, encoding)) for path in files]
        filled = [(path, text) for path, text in found if not text.is_empty]
        if not filled:
            raise ProjectError(
                f"source {source.name.replace('__', '.', 1)} is empty",
                where=", ".join(str(p) for p in files[:3]),
                found="no line" if len(files) == 1 else f"no line in {len(files)} files",
                fix="write the names of the columns on the first line, or correct the path",
            )
        return [path if text.is_plain else self._clean(path, text) for path, text in filled]

    def _text_file(self, path: Path, encoding: str) -> TextFile:
        key = f"text|{self.digest(path)}|{path.suffix}|{encoding}"
        if key not in self._digests.values:
            self._digests.values[key] = dataclasses.astuple(examine(path, encoding))
        return TextFile(*self._digests.values[key])

    def _clean(self, path: Path, text: TextFile) -> Path:
        name = fingerprint([self.digest(path), text.encoding])
        copy = self._digests.folder / "sources" / f"{path.name.split('.')[0]}-{name}.txt"
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            beside = copy.with_name(f".{uuid.uuid4().hex}.tmp")
            write_clean(path, text.encoding, beside)
            beside.replace(copy)
        return copy

    def broken_line(self, source: Node) -> ProjectError | None:
        """An error that names the first broken line of a CSV or JSON-lines file, if there is one."""
        delimiter = str(
            source.config.get("reading", {}).get("delimiter")
            or source.config.get("delimiter")
            or ""
        )
        skip = int(source.config.get("reading", {}).get("skip") or 0)
        for path in self.files(source):
            form = self._format(source, path)
            (readable,) = self._readable(source, [path]) if form in TEXT_FORMS else [path]
            found = first_bad_line(readable, form, delimiter, skip)
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

    def digest(self, path: Path) -> str:
        """Digest of a file's bytes, read again only where size or time have changed."""
        stat = os.stat(path)
        key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ino}"
        if key not in self._digests.values:
            self._digests.values[key] = file_digest(path)
        digest: str = self._digests.values[key]
        return digest


def _options(source: Node) -> list[Any]:
    """The settings that the files are read with, as far as any are given."""
    given = {
        key: source.config.get(key)
        for key in ("reading", "delimiter", "column_types", "list_separator")
    }
    return [[key, value] for key, value in given.items() if value]


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
                fix="write the columns' names on the first line; a log without them is read with header: false and columns: [...],"
                " one with other separators with delimiter: (docs/formats.md)",
            )
        near = closest(missing[0], names, count=1)
        raise ProjectError(
            f"source {source.name.replace('__', '.', 1)} has no column {', '.join(repr(m) for m in missing)}",
            where=source.file_path,
            found=f"columns {', '.join(names)}",
            fix="rename the column in the file, or set the var that names it (user_column, item_column,"
            " order_column; item_columns for the items file) to one of these columns"
            + (f" (closest {near})" if near else "")
            + "; if this is no header, set header: false and name the columns (docs/formats.md), or delimiter: or skip:"
            * (len(missing) == len(source.columns)),
        )
