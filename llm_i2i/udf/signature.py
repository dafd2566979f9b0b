"""The typed signature of a UDF: all that the compiler needs to know of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from llm_i2i.errors import ProjectError

Kind = Literal["scalar", "batch", "table"]
CONTEXT = "context"
LARGEST_BATCH = 10_000_000  # rows that must fit in memory as Python lists
SQL_TYPES: dict[Any, str] = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}


@dataclass(frozen=True)
class Parameter:
    """One parameter: `role` says whether it is a column of the call, a constant of the call, or a relation."""

    name: str
    role: Literal["column", "constant", "relation"]
    sql_type: str
    required: bool


@dataclass(frozen=True)
class Signature:
    """Name, kind, parameters and result of a UDF, with the digest of its source.

    Attributes:
        returns: A DuckDB type, or for a table UDF (column, type) pairs.
        is_quick: A table UDF that takes no longer than a query, and is run like one.
        version: Digest of the file that defines it; part of every fingerprint and call key.
    """

    name: str
    kind: Kind
    parameters: tuple[Parameter, ...]
    returns: str | tuple[tuple[str, str], ...]
    batch_size: int = 0
    wants_context: bool = False
    is_quick: bool = False
    version: str = field(default="", compare=False)

    @property
    def columns(self) -> tuple[Parameter, ...]:
        return tuple(p for p in self.parameters if p.role == "column")

    @property
    def constants(self) -> tuple[Parameter, ...]:
        return tuple(p for p in self.parameters if p.role == "constant")

    @property
    def relations(self) -> tuple[Parameter, ...]:
        return tuple(p for p in self.parameters if p.role == "relation")


def signature_of(
    function: Callable[..., Any], kind: Kind, returns: str | dict[str, str], batch_size: int
) -> Signature:
    """Read a function's annotations.

    Raises:
        ProjectError: An annotation is missing or has no SQL type; what it returns, or its batch size, is none.
    """
    _check_options(function, kind, returns, batch_size)
    hints = get_type_hints(function)
    parameters = []
    wants_context = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == CONTEXT:
            wants_context = True
            continue
        hint = hints.get(parameter.name)
        role, sql_type = _role_and_type(function, parameter, hint, kind)
        required = parameter.default is inspect.Parameter.empty
        parameters.append(Parameter(parameter.name, role, sql_type, required))
    result = tuple(returns.items()) if isinstance(returns, dict) else returns
    return Signature(function.__name__, kind, tuple(parameters), result, batch_size, wants_context)


def _check_options(function: Callable[..., Any], kind: Kind, returns: Any, batch_size: Any) -> None:
    types = list(returns.items()) if isinstance(returns, dict) else [("", returns)]
    if not types or not all(isinstance(t, str) and t.strip() for _, t in types):
        raise _bad_option(
            function,
            f"returns={returns!r}",
            "write DuckDB types: returns={'item_id': 'VARCHAR', 'score': 'DOUBLE'}"
            if kind == "table"
            else "write a DuckDB type: returns='DOUBLE'",
        )
    if kind == "batch" and (type(batch_size) is not int or not 1 <= batch_size <= LARGEST_BATCH):
        fix = f"write a whole number from 1 to {LARGEST_BATCH:,}: the rows of one call"
        raise _bad_option(function, f"batch_size={batch_size!r}", fix)


def _bad_option(function: Callable[..., Any], found: str, fix: str) -> ProjectError:
    return ProjectError(
        f"UDF {function.__name__!r} is declared wrongly",
        where=_place(function),
        found=found,
        fix=fix,
    )


def _role_and_type(
    function: Callable[..., Any], parameter: inspect.Parameter, hint: Any, kind: Kind
) -> tuple[Literal["column", "constant", "relation"], str]:
    names = {getattr(option, "__qualname__", "") for option in (hint, *get_args(hint))}
    if kind == "table" and "Table" in names:
        return "relation", "TABLE"
    keyword_only = parameter.kind is inspect.Parameter.KEYWORD_ONLY
    if kind == "batch" and not keyword_only:
        inner = get_args(hint)
        if getattr(hint, "__origin__", None) is list and inner and (sql := _sql_type(inner[0])):
            return "column", sql
        raise _bad_annotation(
            function, parameter, "list[str], list[int], list[float], list[bool] or a list of these"
        )
    sql = _sql_type(hint)
    if sql is None:
        raise _bad_annotation(
            function,
            parameter,
            "str, int, float, bool, a list of these, or pa.Table in a table UDF",
        )
    return ("column" if kind == "scalar" else "constant"), sql


def _sql_type(hint: Any) -> str | None:
    if hint in SQL_TYPES:
        return SQL_TYPES[hint]
    inner = [option for option in get_args(hint) if option is not type(None)]
    if getattr(hint, "__origin__", None) is list and inner:
        element = _sql_type(inner[0])
        return f"{element}[]" if element else None
    return _sql_type(inner[0]) if len(inner) == 1 else None  # X | None


def _bad_annotation(
    function: Callable[..., Any], parameter: inspect.Parameter, wanted: str
) -> ProjectError:
    return ProjectError(
        f"parameter {parameter.name!r} of UDF {function.__name__!r} has no usable type",
        where=_place(function),
        found=str(parameter),
        fix=f"annotate it as {wanted}",
    )


def _place(function: Callable[..., Any]) -> str:
    """`file:line`, relative where it lies below the present folder: Python makes names of files absolute."""
    file, here = Path(function.__code__.co_filename), Path.cwd()
    shown = file.relative_to(here) if file.is_relative_to(here) else file
    return f"{shown}:{function.__code__.co_firstlineno}"
