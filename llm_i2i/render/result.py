"""What rendering gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llm_i2i.render.lines import LineMap
from llm_i2i.render.relations import Reference, SourceReference


@dataclass(frozen=True)
class RenderedModel:
    """Rendered text and everything that was read for it.

    Attributes:
        sql: The text, without blank lines around it.
        refs: One for each place that calls ref(), in order.
        vars: Name and value of each var really read, in macros too.
        macros: Macros really called.
        asked: Models whose columns it asked for -> digest of their text.
        config: Keyword arguments of config(), not yet checked.
        config_line: Line of the first config(), 0 if there is none.
    """

    sql: str
    refs: tuple[Reference, ...] = ()
    sources: tuple[SourceReference, ...] = ()
    vars: dict[str, Any] = field(default_factory=dict)
    macros: tuple[str, ...] = ()
    env_vars: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    language_models: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    config_line: int = 0
    line_map: LineMap = field(default_factory=LineMap)
    asked: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Instance:
    """One model of a file that declares several.

    Attributes:
        name: The model's name.
        values: What its SQL and YAML may name.
        where: Where the value set is written: the entry of a list, or the file.
        reads: Vars that the value set was made from.
    """

    name: str
    values: Mapping[str, Any]
    where: str = ""
    reads: Mapping[str, Any] = field(default_factory=dict)
