"""Prompt templates: plain text with {{ key }}, turned into one SQL expression."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from llm_i2i.errors import LlmI2iError, ProjectError, closest, raise_all
from llm_i2i.names import quote_literal

SUFFIX = ".jinja"
_KEY = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_OTHER_JINJA = re.compile(r"\{\{|\{%|\{#")


def find_prompts(folders: Iterable[Path]) -> dict[str, Path]:
    """Prompt files under `folders` by name, which is the file's without `.jinja`.

    Raises:
        ProjectError: Two files of one name.
    """
    found: dict[str, Path] = {}
    errors: list[LlmI2iError] = []
    for folder in folders:
        for path in sorted(folder.rglob(f"*{SUFFIX}")):
            first = found.setdefault(path.stem, path)
            if first != path:
                errors.append(
                    ProjectError(
                        f"prompt '{path.stem}' is defined twice",
                        where=path.as_posix(),
                        found=f"first defined in {first.as_posix()}",
                        fix="rename or remove one of the two",
                    )
                )
    raise_all(errors)
    return found


def prompt_expression(text: str, keys: Mapping[str, str], *, file: str, caller: str) -> str:
    """The prompt as one SQL expression of type varchar, in parentheses.

    NULL in any of `keys` makes the prompt NULL, as `||` does.

    Args:
        text: The template; one newline at its end does not count.
        keys: SQL expression for each `{{ key }}`.
        file: The template's file, for messages.
        caller: Where prompt() was called, for messages.

    Raises:
        ProjectError: Keys missing or left over, or Jinja beyond `{{ key }}`.
    """
    text = text.replace("\r\n", "\n").removesuffix("\n")
    _refuse_other_jinja(text, file)
    _check_keys(text, keys, file, caller)
    parts = []
    for index, piece in enumerate(_KEY.split(text)):
        if index % 2:
            parts.append(f"cast({keys[piece]} as varchar)")
        elif piece:
            parts.append(quote_literal(piece))
    return f"({' || '.join(parts) or quote_literal('')})"


def _check_keys(text: str, keys: Mapping[str, str], file: str, caller: str) -> None:
    lines: dict[str, int] = {}
    for match in _KEY.finditer(text):
        lines.setdefault(match[1], text.count("\n", 0, match.start()) + 1)
    errors: list[LlmI2iError] = []
    for key in (key for key in lines if key not in keys):
        given = ", ".join(keys) or "none"
        errors.append(
            ProjectError(
                f"prompt(...) gives no value for '{key}'",
                where=caller,
                found=f"{{{{ {key} }}}} at {file}:{lines[key]}; keys given: {given}",
                fix=f"add {key}='<SQL expression>' to the call",
            )
        )
    for key in (key for key in keys if key not in lines):
        near = closest(key, lines, count=1)
        errors.append(
            ProjectError(
                f"prompt(...) gives '{key}', which the prompt does not use",
                where=caller,
                found=f"{file} uses: {', '.join(sorted(lines)) or 'no keys'}",
                fix=f"did you mean {near}?" if near else f"remove {key}= from the call",
            )
        )
    raise_all(errors)


def _refuse_other_jinja(text: str, file: str) -> None:
    rest = _KEY.sub(lambda match: " " * len(match[0]), text)
    other = _OTHER_JINJA.search(rest)
    if other:
        line = text.count("\n", 0, other.start()) + 1
        raise ProjectError(
            "a prompt template holds only text and {{ key }}",
            where=f"{file}:{line}",
            found=text.splitlines()[line - 1].strip(),
            fix="compute the value in SQL and pass it as a key of prompt()",
        )
