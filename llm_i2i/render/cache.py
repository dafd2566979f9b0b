"""What earlier invocations rendered and parsed, so that nothing is rendered twice. Losing it costs time, never correctness."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from llm_i2i.fingerprint import fingerprint
from llm_i2i.render.lines import LineMap
from llm_i2i.render.relations import Reference, SourceReference
from llm_i2i.render.result import Instance, RenderedModel

FORMAT = 1  # to be raised when templates give something else than before
KEPT = 3  # times the entries that one invocation uses


class RenderCache:
    """Renderings by what they were made of.

    Only what follows from the key is kept: nothing that read an environment variable or wrote to the log.
    """

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        """Take the dictionary to read and to add to; it holds JSON."""
        self._values = {} if values is None else values
        self._used: set[str] = set()

    def rendered(
        self,
        made_of: Sequence[Any],
        render: Callable[[], tuple[RenderedModel, bool]],
        is_current: Callable[[Mapping[str, str]], bool] = lambda asked: not asked,
    ) -> RenderedModel:
        """The kept rendering, or the one that `render` gives with whether it may be kept.

        Args:
            made_of: Everything it depends on, as JSON, but for what it asked of other models.
            is_current: Whether those are as they were; gets `asked` of the rendering.
        """
        try:
            key = fingerprint([FORMAT, *made_of])
        except (TypeError, ValueError):  # an argument that is no JSON, such as a date
            return render()[0]
        self._used.add(key)
        known = self._values.get(key)
        if known and is_current(known.get("asked", {})):
            return _unpacked(known)
        result, may_be_kept = render()
        if may_be_kept and (packed := _packed(result)):
            self._values[key] = packed
        return result

    def parsed(self, text: str, file: str, parse: Callable[[], list[Any]]) -> list[Any]:
        """What `parse` tells of a macro file, as JSON; an error is not kept."""
        key = fingerprint([FORMAT, "macros", file, text])
        self._used.add(key)
        if key not in self._values:
            self._values[key] = parse()
        known: list[Any] = self._values[key]
        return known

    def instances(
        self, made_of: Sequence[Any], read: Callable[[], tuple[list[Instance] | None, bool]]
    ) -> list[Instance] | None:
        """The kept instances of a model file, or those that `read` gives with whether they may be kept; an error is not kept."""
        key = fingerprint([FORMAT, *made_of])
        self._used.add(key)
        if key in self._values:
            known = self._values[key]
            return None if known is None else [Instance(**one) for one in known]
        found, may_be_kept = read()
        packed = None if found is None else [asdict(one) for one in found]
        if may_be_kept and _is_json(packed):
            self._values[key] = packed
        return found

    def value(self, made_of: Sequence[Any], evaluate: Callable[[], tuple[Any, bool]]) -> Any:
        """The kept value of an expression, or the one that `evaluate` gives with whether it may be kept."""
        try:
            key = fingerprint([FORMAT, *made_of])
        except (TypeError, ValueError):  # an instance's value that is no JSON
            return evaluate()[0]
        self._used.add(key)
        if key in self._values:
            return copy.deepcopy(self._values[key])
        found, may_be_kept = evaluate()
        if may_be_kept and _is_json(found):
            self._values[key] = copy.deepcopy(found)
        return found

    def forget_oldest(self) -> None:
        """Drop entries that were not used for long, oldest first."""
        unused = [key for key in self._values if key not in self._used]
        for key in unused[: max(0, len(self._values) - KEPT * len(self._used))]:
            del self._values[key]


def _is_json(value: Any) -> bool:
    """Whether JSON gives it back as it is, as it does not a tuple."""
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError):
        return False


def _packed(result: RenderedModel) -> dict[str, Any] | None:
    """Without what is empty; None if JSON would change it, as it does tuples."""
    values = {name: value for name, value in asdict(result).items() if value}
    values["sql"] = result.sql  # a template may give nothing
    values["line_map"] = list(result.line_map.lines)
    return values if _is_json([result.vars, result.config]) else None


def _unpacked(values: dict[str, Any]) -> RenderedModel:
    found: dict[str, Any] = {
        k: tuple(value) if isinstance(value, list) else value for k, value in values.items()
    }
    found["refs"] = tuple(Reference(**reference) for reference in values.get("refs", ()))
    found["sources"] = tuple(SourceReference(**source) for source in values.get("sources", ()))
    found["line_map"] = LineMap(tuple(values["line_map"]))
    return RenderedModel(**found)
