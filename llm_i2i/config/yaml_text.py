"""YAML read safely, with the place of every key and value kept.

Where YAML 1.1 (PyYAML) surprises an analyst we differ: `5e-5` is a number, `2024-01-31` and
`12:30` stay text, a key given twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from llm_i2i.errors import LlmI2iError, ProjectError

# libyaml's parser is about ten times faster; a PyYAML built without it lacks the class.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
_QUOTES = ("'", '"', "|", ">")
_MOST_VALUES = 100_000
_JINJA_FIX = "quote a value that begins with {{, as in path: \"{{ var('interactions') }}\""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file; line and column count from 1, 0 means unknown."""

    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @property
    def line_only(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class YamlMapping(dict[str, Any]):
    """A dict that knows where it, its keys and its values were written."""

    __slots__ = ("keys_at", "place", "values_at")

    def __init__(self, place: Place, values: dict[str, Any] | None = None) -> None:
        """Place every key and value at `place`; the YAML reader then says better."""
        super().__init__(values or {})
        self.place = place
        self.keys_at: dict[str, Place] = dict.fromkeys(self, place)
        self.values_at: dict[str, Place] = dict.fromkeys(self, place)


class YamlList(list[Any]):
    """A list that knows where it and its items were written."""

    __slots__ = ("items_at", "place")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.items_at: list[Place] = []


class Mistakes:
    """Collects errors with their places, so that a bad project shows all of them, in file order."""

    def __init__(self) -> None:
        self._found: list[tuple[Place, LlmI2iError]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, what: str, place: Place, *, found: str = "", fix: str = "") -> None:
        self._found.append((place, ProjectError(what, where=str(place), found=found, fix=fix)))

    def in_order(self) -> list[LlmI2iError]:
        return [error for _place, error in sorted(self._found, key=lambda pair: pair[0])]


def plain(value: Any) -> Any:
    """`value` with the located containers turned into ordinary dicts and lists, copied in depth."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def parse_yaml(text: str, file: str, mistakes: Mistakes) -> Any:
    """The document in `text` as YamlMapping, YamlList and scalars; None if empty or not valid."""
    try:
        node = yaml.compose(text, Loader=_Loader)
        return None if node is None else _Builder(file, mistakes).build(node)
    except yaml.YAMLError as error:
        _add_syntax_error(error, text, file, mistakes)
        return None
    except RecursionError:
        mistakes.add("the YAML is nested too deeply", Place(file), fix="flatten the file")
        return None


def read_yaml(path: Path, file: str, mistakes: Mistakes) -> Any:
    """`parse_yaml` of a file; `file` is how messages name it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        mistakes.add(
            "the file is not UTF-8 text", Place(file), found=str(error), fix="save it as UTF-8"
        )
        return None
    except OSError as error:
        mistakes.add(
            "cannot read the file",
            Place(file),
            found=error.strerror or str(error),
            fix="check that it exists and may be read",
        )
        return None
    return parse_yaml(text, file, mistakes)


def _add_syntax_error(error: yaml.YAMLError, text: str, file: str, mistakes: Mistakes) -> None:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    if mark is None:
        mistakes.add(f"not valid YAML: {problem}", Place(file), fix="remove the unusual character")
        return
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    mistakes.add(
        f"not valid YAML: {problem}",
        Place(file, mark.line + 1, mark.column + 1),
        found=line.strip() or "end of file",
        fix=_syntax_fix(problem, line),
    )


def _syntax_fix(problem: str, line: str) -> str:
    if "\t" in line:
        return "indent with spaces, YAML allows no tabs"
    if "{{" in line or "{%" in line:
        return _JINJA_FIX
    if "mapping values are not allowed" in problem:
        return "quote the text if it holds ': ', or check the indentation"
    if "another document" in problem:
        return "keep one document a file: remove the '---' line"
    if "cannot start any token" in problem:
        return "quote the value"
    return "check the indentation, quotes and brackets here and on the line above"


class _Builder:
    """Turns one composed document into located values."""

    def __init__(self, file: str, mistakes: Mistakes) -> None:
        self.file = file
        self.mistakes = mistakes
        self.scalars = yaml.constructor.SafeConstructor()
        self.built: dict[int, Any] = {}  # by node: an alias shares the value of its anchor
        self.sizes: dict[int, int] = {}  # of containers, aliases counted in full
        self.open: set[int] = set()

    def place(self, node: yaml.Node) -> Place:
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def build(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if id(node) in self.built:
            return self.built[id(node)]
        if id(node) in self.open:
            self.mistakes.add(
                "this alias contains itself", self.place(node), fix="write the values out"
            )
            return None
        self.open.add(id(node))
        value = self.mapping(node) if isinstance(node, yaml.MappingNode) else self.sequence(node)
        self.open.discard(id(node))
        self.built[id(node)] = value if self.is_reasonable(node) else None
        return self.built[id(node)]

    def is_reasonable(self, node: yaml.Node) -> bool:
        """Whether a container stays small: nested aliases can stand for billions of values."""
        pairs = isinstance(node, yaml.MappingNode)
        children = (item[1] for item in node.value) if pairs else node.value
        size = 1 + sum(self.sizes.get(id(child), 1) for child in children)
        self.sizes[id(node)] = size if size <= _MOST_VALUES else 1
        if size > _MOST_VALUES:
            self.mistakes.add(
                "aliases make this too large",
                self.place(node),
                found=f"{size} values, at most {_MOST_VALUES}",
                fix="write the values out, or fewer of them",
            )
        return size <= _MOST_VALUES

    def sequence(self, node: yaml.Node) -> YamlList:
        result = YamlList(self.place(node))
        self.refuse_tag(node, "seq")
        for item in node.value:
            result.append(self.build(item))
            result.items_at.append(self.place(item))
        return result

    def mapping(self, node: yaml.Node) -> YamlMapping | str:
        result = YamlMapping(self.place(node))
        self.refuse_tag(node, "map")
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                return self.refuse_key(key_node)
            key = str(key_node.value)  # `1: x` and `on: x` keep their spelling
            place = self.place(key_node)
            if key in result:
                self.mistakes.add(
                    f"key '{key}' is given twice",
                    place,
                    found=f"first given at {result.keys_at[key].line_only}",
                    fix="keep one of the two",
                )
                continue
            result[key] = self.build(value_node)
            result.keys_at[key] = place
            result.values_at[key] = self.place(value_node)
        self.merge(node, result)
        return result

    def refuse_key(self, node: yaml.Node) -> str:
        """Complain of a key that is no scalar: most often an unquoted {{ ... }}, so give text."""
        is_mapping = isinstance(node, yaml.MappingNode)
        self.mistakes.add(
            "a key must be plain text",
            self.place(node),
            found="a mapping used as a key" if is_mapping else "a list used as a key",
            fix=_JINJA_FIX if is_mapping else "write key: value",
        )
        return ""

    def merge(self, node: yaml.Node, result: YamlMapping) -> None:
        """Bring in the keys of `<<: *anchor` that are not given here."""
        for source in self.merge_sources(node):
            for key, value in source.items():
                if key not in result:
                    result[key] = value
                    result.keys_at[key] = source.keys_at[key]
                    result.values_at[key] = source.values_at[key]

    def merge_sources(self, node: yaml.Node) -> Iterator[YamlMapping]:
        for key_node, value_node in node.value:
            if key_node.tag != _TAG + "merge":
                continue
            value = self.build(value_node)
            for source in value if isinstance(value, YamlList) else [value]:
                if isinstance(source, YamlMapping):
                    yield source
                else:
                    self.mistakes.add(
                        "'<<' merges mappings only",
                        self.place(value_node),
                        found=repr(source),
                        fix="write <<: *name_of_an_anchored_mapping",
                    )

    def scalar(self, node: yaml.ScalarNode) -> Any:
        kind = node.tag.removeprefix(_TAG)
        text: str = node.value
        if kind == "str":
            return float(text) if node.style not in _QUOTES and _EXPONENT.fullmatch(text) else text
        if kind in ("timestamp", "value") or (kind in ("int", "float") and ":" in text):
            return text
        if kind not in ("int", "float", "bool", "null"):
            self.refuse_tag(node, "str")
            return text
        try:
            return getattr(self.scalars, f"construct_yaml_{kind}")(node)
        except (ValueError, KeyError):
            self.mistakes.add(
                f"cannot be read as {kind}", self.place(node), found=text, fix="quote it"
            )
            return None

    def refuse_tag(self, node: yaml.Node, expected: str) -> None:
        if node.tag != _TAG + expected:
            self.mistakes.add(
                "YAML tags are not allowed here",
                self.place(node),
                found=node.tag.replace(_TAG, "!!"),
                fix="remove the tag",
            )
