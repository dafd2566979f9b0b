"""Every error a user can meet: what happened, where, what was found, how to fix it."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Mapping, Sequence

from llm_i2i.secrets import hide_secrets


def shown_text(text: str) -> str:
    """Text that a terminal or a log can take: control characters and lone surrogates as Python writes them."""
    return "".join(
        c if c.isprintable() or c == "\n" or _has_glyph(c) else ascii(c)[1:-1] for c in text
    )


# Line and paragraph ends, and what turns the direction of writing.
_STEERING = "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def _has_glyph(character: str) -> bool:
    """Whether a letter is merely unknown to this Python, a space or a joiner: it steers nothing."""
    is_surrogate = "\ud800" <= character <= "\udfff"
    return ord(character) >= 0xA0 and character not in _STEERING and not is_surrogate


LINE, TABLE = (
    1_000,
    20_000,
)  # characters at most: of a sentence or a place, and of a list or a table


def _bounded(text: str, most: int) -> str:
    """Text that quotes something huge, cut: who gave it knows the rest."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


class LlmI2iError(Exception):
    """Base of all our errors. The library raises it with data; only the CLI prints it. Secrets are hidden as it is made.

    Attributes:
        what: One sentence, what is wrong.
        where: Place as `file:line` or `file:line:column`, or a node's name.
        found: What was there instead.
        fix: What to do next.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", found: str = "", fix: str = "") -> None:
        self.what = _bounded(hide_secrets(what), LINE)
        self.where = _bounded(hide_secrets(where), LINE)
        self.found = _bounded(hide_secrets(found), TABLE)
        self.fix = _bounded(hide_secrets(fix), TABLE)
        super().__init__(self.what)

    def render(self) -> str:
        """The message as the terminal shows it, up to four lines, no trailing newline."""
        lines = [f"error: {self.what}"]
        for label, value in (("at", self.where), ("found", self.found), ("fix", self.fix)):
            if value:
                lines.append(f"  {label + ':':<7}" + value.replace("\n", "\n         "))
        return shown_text("\n".join(lines))

    def __str__(self) -> str:
        return self.render()


class ProjectError(LlmI2iError):
    """The project cannot be compiled or the command cannot start; nothing was run."""

    exit_code = 2


class ProjectErrors(ProjectError):
    """Several mistakes of one project, reported in one go."""

    def __init__(self, errors: Sequence[LlmI2iError]) -> None:
        # one mistake that many templates run into is said once.
        unique: dict[tuple[str, str, str], LlmI2iError] = {}
        for error in errors:
            unique.setdefault((error.what, error.where, error.fix), error)
        self.errors = list(unique.values())
        super().__init__(f"{len(self.errors)} mistakes in the project")

    def render(self) -> str:
        return "\n".join(error.render() for error in self.errors)


class NodeError(LlmI2iError):
    """One node failed while running; the others are unharmed."""


class EngineError(LlmI2iError):
    """The engine refused or failed a statement.

    `line` counts from 1 inside the SQL text that was sent, 0 if unknown.
    """

    def __init__(self, what: str, *, line: int = 0, **details: str) -> None:
        super().__init__(what, **details)
        self.line = line


_DISK = {
    errno.ENOSPC: ("the disk is full", "free space, then run the same command again: what is finished is kept"),
    errno.EDQUOT: ("the disk quota is used up", "free space, then run the same command again: what is finished is kept"),
    errno.EFBIG: ("a file became larger than is allowed", "raise the limit (ulimit -f), then run the same command again"),
    errno.EROFS: ("the disk is read-only", "pass --target-path with a folder you may write to"),
    errno.EACCES: ("a file may not be read or written", "mend its permissions, or pass --target-path with a folder you may write to"),
    errno.EPERM: ("a file may not be changed", "mend its permissions, or pass --target-path with a folder you may write to"),
    errno.EIO: ("the disk fails", "run `llmi2i debug --verify` on a disk that works"),
    errno.EMFILE: ("too many files are open", "raise the limit (ulimit -n)"),
}  # fmt: skip


def disk_error(error: OSError) -> LlmI2iError | None:
    """What the system says of files, as ours; None where it says nothing a user could mend."""
    if error.errno not in _DISK:
        return None
    what, fix = _DISK[error.errno]
    return LlmI2iError(what, where=str(error.filename or ""), found=str(error), fix=fix)


def raise_all(errors: Sequence[LlmI2iError]) -> None:
    """Raise nothing, the one error, or all of them together."""
    if not errors:
        return
    together = ProjectErrors(errors)
    raise together.errors[0] if len(together.errors) == 1 else together


def closest(name: str, known: Iterable[str], *, count: int = 3) -> str:
    """The known names nearest to `name`, quoted and joined for a message; empty if none is near."""
    near = difflib.get_close_matches(name, sorted(known), n=count, cutoff=0.5)
    return ", ".join(repr(n) for n in near)


def counted(numbers: Mapping[str, int]) -> str:
    """Numbers of things for a line to read, without those of which there are none: `1 model, 2 data tests`."""
    texts = (f"{n:,} {what}{'' if n == 1 else 's'}" for what, n in numbers.items() if n)
    return ", ".join(texts) or "nothing"
