"""`@scalar_udf`, `@batch_udf`, `@table_udf`: mark a function, say what it returns; the registry finds it by its mark."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from llm_i2i.udf.signature import Kind, Signature, signature_of

F = TypeVar("F", bound=Callable[..., Any])
MARK = "__llmi2i_udf__"


def scalar_udf(*, returns: str) -> Callable[[F], F]:
    """A pure, cheap function of single values, run inside the engine.

    Args:
        returns: DuckDB type of the result, for example `VARCHAR`.
    """
    return _marker("scalar", returns)


def batch_udf(*, returns: str, batch_size: int = 4096) -> Callable[[F], F]:
    """A costly function of many rows at once (language models): hoisted out of the query and cached call by call.

    Positional parameters are columns and arrive as lists of equal length; keyword-only parameters are constants of the call; a
    keyword-only `context` receives a `UdfContext`. It returns one value per row, in order; `RowError` for a row that failed.

    Args:
        returns: DuckDB type of one value, for example `STRUCT(confidence DOUBLE, margin DOUBLE)`.
        batch_size: Rows a call receives and commits at once: what a kill can lose. One that is called with an argument `model`
            receives fewer where that model is slow (`llm_i2i.udf.pace`).
    """
    return _marker("batch", returns, batch_size)


def table_udf(*, returns: Mapping[str, str], is_quick: bool = False) -> Callable[[F], F]:
    """Relations in, one relation out (training, recommenders): hoisted, called once.

    Parameters annotated `pa.Table` take a subquery and receive its rows; the others take constants or scalar subqueries.

    Args:
        returns: Column names and DuckDB types of the result.
        is_quick: It takes a few seconds at most, as a query does. So it always runs in the process of the build, takes none of the target's
            `jobs`, and no other work waits for it.
    """
    return _marker("table", dict(returns), is_quick=is_quick)


def _marker(
    kind: Kind, returns: str | dict[str, str], batch_size: int = 0, *, is_quick: bool = False
) -> Callable[[F], F]:
    def mark(function: F) -> F:
        signature = signature_of(function, kind, returns, batch_size)
        setattr(function, MARK, replace(signature, is_quick=is_quick))
        return function

    return mark


def signature_mark(value: Any) -> Signature | None:
    """The signature a decorator left on `value`, if any."""
    mark = getattr(value, MARK, None)
    return mark if isinstance(mark, Signature) else None
