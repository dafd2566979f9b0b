"""What the bytes of a text file are before an engine reads them: compressed or not, their encoding, their line ends.

DuckDB reads UTF-8 with one kind of line end. Whatever else a file is, it is written once more as that, in a stream, and the copy is read.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from llm_i2i.errors import ProjectError

CHUNK = 1 << 20
# Byte order marks say the encoding; that of UTF-32 begins with that of UTF-16 and so comes first.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
GZIP = b"\x1f\x8b"
# What else begins so is no text at all, whatever its name says.
OTHER_FILES = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    (b"PAR1", "a Parquet file", "name it .parquet, or set `format: parquet`"),
    (b"BZh", "a bzip2 file", "unpack it with bunzip2"),
    (b"\xfd7zXZ", "an xz file", "unpack it with unxz"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
)


@dataclass(frozen=True)
class TextFile:
    """What was found in a text file.

    Attributes:
        encoding: The name Python has for it.
        is_empty: Nothing but white space is in it.
        is_plain: DuckDB reads it as it is.
    """

    encoding: str
    is_empty: bool
    is_plain: bool


def examine(path: Path, encoding: str = "") -> TextFile:
    """Read a file once and say what it is.

    Args:
        encoding: As declared; without one, UTF-8 or what a byte order mark says.

    Raises:
        ProjectError: It is no text, or not in this encoding; says at which line and column.
    """
    if path.suffix.lower() == ".zst":
        return TextFile("utf-8", is_empty=False, is_plain=True)  # unpacked by DuckDB alone
    head = _head(path)
    for mark, what, fix in OTHER_FILES:
        if head.startswith(mark):
            raise ProjectError(
                f"{path.name} is no text file",
                where=str(path),
                found=f"{what}, by its first bytes",
                fix=fix,
            )
    found = _encoding(path, head, encoding)
    is_empty, lone, pairs = True, 0, 0
    tail = ""
    for text in decoded(path, found):
        is_empty = is_empty and not text.strip()
        if "\0" in text:
            raise ProjectError(
                f"{path.name} holds zero bytes",
                where=str(path),
                found=f"read as {found}",
                fix="is it UTF-16 without a byte order mark? set encoding: utf-16-le (or utf-16-be)",
            )
        both = text.count("\r\n") + (tail == "\r" and text.startswith("\n"))
        pairs += both
        lone += text.count("\n") - both
        tail = text[-1:] or tail
    named_gzip = path.suffix.lower() == ".gz"
    is_plain = (
        found in ("utf-8", "utf-8-sig")
        and not (lone and pairs)
        and named_gzip == _is_gzip(path)
        and not (named_gzip and head.startswith(GZIP))
    )
    return TextFile(found, is_empty, is_plain)


def decoded(path: Path, encoding: str) -> Iterator[str]:
    """The text of a file in pieces, unpacked, without a byte order mark.

    Raises:
        ProjectError: It is not in this encoding, or the compressed file is cut off.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    line, column = 1, 1
    try:
        with _unpacked(path) as file:
            while piece := file.read(CHUNK):
                text = decoder.decode(piece)
                yield text
                line, column = _end_of(text, line, column)
            yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(encoding, errors="ignore")
        line, column = _end_of(before, line, column)
        bad = error.object[error.start : error.start + 1].hex().upper()
        raise ProjectError(
            f"{path.name} is not in the encoding {encoding}",
            where=f"{path}:{line}:{column}",
            found=f"line {line}, column {column}: the byte 0x{bad} ({error.reason})",
            fix=_encoding_fix(encoding),
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ProjectError(
            f"{path.name} cannot be unpacked",
            where=str(path),
            found=f"{error}",
            fix="copy the file again: it is cut off or damaged",
        ) from error


def write_clean(path: Path, encoding: str, copy: Path) -> None:
    """Write a file once more as UTF-8 with `\\n` at the end of each line."""
    with copy.open("w", encoding="utf-8", newline="") as file:
        held = ""
        for text in decoded(path, encoding):
            text, held = held + text, ""
            if text.endswith("\r"):  # its `\n` may come with the next piece
                text, held = text[:-1], "\r"
            file.write(text.replace("\r\n", "\n"))
        file.write(held)


def _end_of(text: str, line: int, column: int) -> tuple[int, int]:
    """Line and column, from 1, behind a text that begins at these."""
    lines = text.count("\n")
    return line + lines, (len(text) - text.rfind("\n") if lines else column + len(text))


def _encoding_fix(encoding: str) -> str:
    if encoding.startswith("utf-8"):
        return "set encoding: latin-1 (or cp1252, utf-16, shift_jis, ...) for the source; for the log, the var encoding; for the items, items_file: {encoding: latin-1}"
    return "set the encoding that the file is in, or leave the setting out where it is UTF-8"


def _encoding(path: Path, head: bytes, declared: str) -> str:
    marked = next((name for mark, name in MARKS if head.startswith(mark)), "")
    if not declared:
        return marked or "utf-8"
    try:
        name = codecs.lookup(declared).name
    except LookupError as error:
        raise ProjectError(
            f"there is no encoding {declared!r}",
            where=str(path),
            found=f"encoding: {declared}",
            fix="write a name that Python knows, such as utf-8, latin-1, cp1252, utf-16 or shift_jis",
        ) from error
    return marked if marked and name in ("utf-8", "utf-16-le", "utf-16-be") else name


def _unpacked(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if _is_gzip(path) else path.open("rb")


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP


def _head(path: Path) -> bytes:
    """The first bytes, unpacked."""
    with _unpacked(path) as file:
        try:
            return file.read(8)
        except (EOFError, zlib.error, OSError):
            return b""  # `decoded` says what is wrong with it
