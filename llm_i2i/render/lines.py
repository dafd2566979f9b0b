"""Which line of a template each line of rendered SQL came from.

The template's syntax tree is salted with marks (a line number between two private-use characters)
before it is compiled; they travel through loops and conditions with the text, and are taken out of
the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from jinja2 import nodes

_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")


@dataclass(frozen=True)
class LineMap:
    """`lines[i]` is the template line of rendered line i + 1; empty without a template file."""

    lines: tuple[int, ...] = ()

    def source_line(self, rendered_line: int) -> int:
        """The template line of a rendered line, both from 1; past the end the last; 0: unknown."""
        if rendered_line < 1 or not self.lines:
            return 0
        return self.lines[min(rendered_line, len(self.lines)) - 1]


def mark_lines(template: nodes.Template) -> None:
    """Salt what the template outputs with its line numbers, in place."""
    template.body = _marked(template.body)


def take_marks(text: str) -> tuple[str, LineMap]:
    """Rendered text without marks and blank lines around it, and where its lines came from.

    A line made of several pieces is said to come from the first piece that is not blank.
    """
    pieces = _MARK.split(text)
    sql: list[str] = []
    sources: list[int] = []
    is_blank: list[bool] = []  # nothing but blanks on this rendered line so far
    for source, piece in zip(_sources(pieces), pieces[::2], strict=True):
        sql.append(piece)
        for index, part in enumerate(piece.split("\n")):
            if index or not sources:
                sources.append(source)
                is_blank.append(True)
            if is_blank[-1] and part.strip():
                sources[-1] = source
                is_blank[-1] = False
    first = is_blank.index(False) if False in is_blank else 0
    last = len(is_blank) - is_blank[::-1].index(False) if False in is_blank else 0
    lines = "".join(sql).split("\n")[first:last]
    return "\n".join(lines), LineMap(tuple(sources[first:last]))


def _sources(pieces: list[str]) -> Iterable[int]:
    yield 1
    yield from map(int, pieces[1::2])


def _mark(line: int) -> str:
    return f"{_OPEN}{line}{_CLOSE}"


def _marked(body: list[nodes.Node]) -> list[nodes.Node]:
    result: list[nodes.Node] = []
    for node in body:
        if isinstance(node, nodes.Output):
            _mark_output(node)
        elif isinstance(node, (nodes.CallBlock, nodes.FilterBlock)):
            # What is inside becomes a value, which may be measured or changed: only mark the place.
            result.append(_output([nodes.TemplateData(_mark(node.lineno))], node))
        elif isinstance(node, nodes.If):
            node.elif_ = _marked(node.elif_)  # type: ignore[arg-type, assignment]
            node.body, node.else_ = _marked(node.body), _marked(node.else_)
        elif isinstance(node, nodes.For):
            node.body, node.else_ = _marked(node.body), _marked(node.else_)
        elif isinstance(node, (nodes.With, nodes.Scope, nodes.ScopedEvalContextModifier)):
            node.body = _marked(node.body)
        result.append(node)
    return result


def _mark_output(node: nodes.Output) -> None:
    marked: list[nodes.Expr] = []
    for item in node.nodes:
        if isinstance(item, nodes.TemplateData):
            item.data = _mark_text(item.data, item.lineno)
        else:
            marked.append(_data(_mark(item.lineno), item))
        marked.append(item)
    node.nodes = marked


def _mark_text(text: str, line: int) -> str:
    lines = text.split("\n")
    return "\n".join(f"{_mark(line + index)}{part}" for index, part in enumerate(lines))


def _data(text: str, like: nodes.Node) -> nodes.TemplateData:
    data = nodes.TemplateData(text, lineno=like.lineno)
    data.environment = like.environment
    return data


def _output(items: list[nodes.Expr], like: nodes.Node) -> nodes.Output:
    output = nodes.Output(items, lineno=like.lineno)
    output.set_environment(like.environment)  # type: ignore[arg-type]
    return output
