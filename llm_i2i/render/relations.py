"""Names of relations in SQL, and the calls that ask for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llm_i2i.names import quote_identifier

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")

# Reserved in DuckDB or Spark, so not usable as a relation without quotes.
_RESERVED_TEXT = """
    all analyse analyze and anti any array as asc asymmetric both case cast check collate column
    constraint create cross current_date current_time current_timestamp default deferrable desc
    describe distinct do else end except false fetch for foreign from full grant group having in
    initially inner intersect into join lambda lateral leading left limit minus natural not null
    offset on only or order outer pivot placing positional primary qualify references returning
    right select semi show some summarize symmetric table then to trailing true union unique
    unpivot using values variadic when where window with
"""
_RESERVED = frozenset(_RESERVED_TEXT.split())


@dataclass(frozen=True, order=True)
class Reference:
    """A ref() call; line and column in the model's file, 0 where unknown."""

    name: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, order=True)
class SourceReference:
    """A source() call; line and column in the model's file, 0 where unknown."""

    source: str
    table: str
    line: int = 0
    column: int = 0


def relation_name(name: str) -> str:
    """A model's name as SQL writes it: in double quotes only where it must be."""
    if _PLAIN_NAME.fullmatch(name) and name not in _RESERVED:
        return name
    return quote_identifier(name)


def source_relation(source: str, table: str) -> str:
    """The name of a source's table in SQL, unquoted: `s__t`."""
    return f"{source}__{table}"
