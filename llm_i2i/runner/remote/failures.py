"""What is said where something far away cannot be read; passwords stay out of it."""

from __future__ import annotations

import re
from importlib.util import find_spec

from llm_i2i.errors import ProjectError

_SECRET_PART = re.compile(r"(://[^/@\s:]*:)[^/@\s]+@")
_SECRET_WORD = re.compile(r"\b(password|pwd|secret|token)\s*=\s*[^\s&;]+", re.IGNORECASE)


class BrokenOff(ProjectError):
    """What is far away cannot be reached, or refused something, or went away."""


def without_passwords(text: str, *addresses: str) -> str:
    """A message without the addresses that may hold secrets, and without passwords in other ones."""
    for address in addresses:
        if len(address) > len("postgresql://"):
            text = text.replace(address, _SECRET_PART.sub(r"\1***@", address))
    return _SECRET_WORD.sub(r"\1=***", _SECRET_PART.sub(r"\1***@", text))


def first_lines(error: BaseException, count: int = 2) -> str:
    """The beginning of an exception's text."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return " ".join(lines[:count]) or type(error).__name__


def need_extra(extra: str, *modules: str) -> None:
    """Refuse to go on without the packages of an extra.

    Raises:
        ProjectError: One is not installed.
    """
    absent = [module for module in modules if find_spec(module) is None]
    if absent:
        raise ProjectError(
            f"this needs the extra {extra!r}",
            found=f"not installed: {', '.join(absent)}",
            fix=f"pip install 'llm_i2i[{extra}]'",
        )
