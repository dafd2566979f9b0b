"""Every error a user can meet: what happened, where, what was found, how to fix it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class LlmI2iError(Exception):
    """Base of all our errors. The library raises it with data; only the CLI prints it.

    Attributes:
        what: One sentence, what is wrong.
        where: Place as `file:line` or `file:line:column`, or a node's name.
        found: What was there instead.
        fix: What to do next.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", found: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.found = found
        self.fix = fix

    def render(self) -> str:
        """The message as the terminal shows it, up to four lines, no trailing newline."""
        lines = [f"error: {self.what}"]
        for label, value in (("at", self.where), ("found", self.found), ("fix", self.fix)):
            if value:
                lines.append(f"  {label + ':':<7}" + value.replace("\n", "\n         "))
        return "\n".join(lines)

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
