"""The history inside a prompt: which parts of the text are its entries, and what may be cut where a prompt is too long.

An entry is a line that starts with a number, a dot and a space (`3. [B0012] Kite | Acme | Toys`), or with a dash and a space in a
list that is to be continued: what the prompts of `project/prompts/` write. A prompt without such lines, as the short ones, has its
item tokens themselves as entries.
"""

from __future__ import annotations

import re
from collections.abc import Container

Span = tuple[int, int]

_LINE = re.compile(r"^(?:\d+\.|-) (.*)(?:\n|\Z)", re.MULTILINE)
_TEXT_BEHIND_ID = re.compile(r"^((?:\d+\. |Candidate: )\[.*?\])( .*)$", re.MULTILINE)
_WORD = re.compile(r"\S+")
BULLET = "-"  # begins each line of a list that is to be continued, and stands alone on the last
TITLE_LIMITS = (48, 32, 16, 8, 0)  # characters of text behind an id, tried in this order


def history_entries(
    prompt: str, items: Container[str], longest: int
) -> list[tuple[Span, str | None]]:
    """Place and item token of each entry, oldest first; the token is None where a line names no item.

    Args:
        items: All item tokens.
        longest: Most words in one item token.
    """
    lines = [(m.span(), _item_of_line(m[1], items)) for m in _LINE.finditer(prompt)]
    return lines or _inline_items(prompt, items, longest)


def is_open_list(prompt: str) -> bool:
    """Whether the prompt is a list whose next line is wanted: its last line is a bullet without an entry."""
    return prompt == BULLET or prompt.endswith("\n" + BULLET)


def cut_spans(prompt: str, spans: list[Span]) -> str:
    """The prompt without these ascending parts."""
    parts, start = [], 0
    for begin, end in spans:
        parts.append(prompt[start:begin])
        start = end
    return "".join([*parts, prompt[start:]])


def cut_texts(prompt: str, limit: int) -> str:
    """The text behind each `[id]` of the history and of the candidate cut to `limit` characters; ids stay whole."""
    return _TEXT_BEHIND_ID.sub(lambda match: match[1] + match[2][: limit + 1].rstrip(), prompt)


def _item_of_line(line: str, items: Container[str]) -> str | None:
    if line in items:
        return line
    if line.startswith("["):
        # An id may hold brackets itself, so every closing one is tried.
        for match in re.finditer(r"\]", line):
            if line[1 : match.start()] in items:
                return line[1 : match.start()]
    return None


def _inline_items(
    prompt: str, items: Container[str], longest: int
) -> list[tuple[Span, str | None]]:
    words = [(match.start(), match.end()) for match in _WORD.finditer(prompt)]
    texts = [prompt[begin:end] for begin, end in words]
    found: list[tuple[Span, str | None]] = []
    place = 0
    while place < len(words):
        for count in range(min(longest, len(words) - place), 0, -1):
            token = " ".join(texts[place : place + count])
            if token in items:
                after = place + count
                end = words[after][0] if after < len(words) else words[after - 1][1]
                found.append(((words[place][0], end), token))
                place += count
                break
        else:
            place += 1
    return found
