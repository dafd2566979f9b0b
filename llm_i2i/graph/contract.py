"""Contracts: what a model's SQL returns against what its YAML promises, found before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llm_i2i.config.properties import ModelProperties, SeedProperties
from llm_i2i.errors import EngineError, ProjectError, closest
from llm_i2i.graph.node import Contract, Node
from llm_i2i.sql.steps import Columns

HEADS = ("column_name", "definition_type", "contract_type", "mismatch_reason")
MISSING_IN_CONTRACT, MISSING_IN_QUERY = "missing in contract", "missing in definition"
Describe = Callable[[str], Columns]  # columns of a query


def check_contract(
    node: Node, columns: Columns, describe: Callable[[], Describe], cache: dict[str, Any]
) -> None:
    """Compare the columns of a model's query with its contract; their order does not count, as in dbt.

    Args:
        describe: Gives the engine's own reading of types, when one is not in `cache`.

    Raises:
        ProjectError: They differ; `found` holds a table of the differences.
    """
    if node.contract is None:
        return
    lacking = [name for name, sql_type in node.contract.columns if not sql_type]
    if lacking:
        raise ProjectError(
            f"the contract of {node.name} does not say every type",
            where=node.contract.where,
            found=f"no data_type for {', '.join(lacking)}",
            fix=f"the query returns {', '.join(f'{n}: {t}' for n, t in columns if n in lacking)}",
        )
    types = {
        declared: _canonical(declared, node.contract, describe, cache)
        for _, declared in node.contract.columns
    }
    rows = _differences(columns, node.contract, types)
    if rows:
        raise ProjectError(
            f"model {node.name!r} does not return what its contract says",
            where=node.contract.where,
            found=_table(rows),
            fix=f"correct {node.path}, or the columns in the YAML",
        )


def _differences(
    columns: Columns, contract: Contract, types: Mapping[str, str]
) -> list[tuple[str, str, str, str]]:
    promised = {name.lower(): (name, declared) for name, declared in contract.columns}
    rows = []
    for name, found in columns:
        if name.lower() not in promised:
            rows.append((name, found, "", MISSING_IN_CONTRACT))
            continue
        declared = promised.pop(name.lower())[1]
        if not _is_same(found, declared, types[declared]):
            rows.append((name, found, types[declared], "data type mismatch"))
    rows += [(name, "", types[declared], MISSING_IN_QUERY) for name, declared in promised.values()]
    return rows


def _is_same(found: str, declared: str, canonical: str) -> bool:
    """A DECIMAL without digits means any, as in dbt."""
    if found.startswith("DECIMAL") and canonical.startswith("DECIMAL") and "(" not in declared:
        return True
    return found == canonical


def _canonical(
    declared: str, contract: Contract, describe: Callable[[], Describe], cache: dict[str, Any]
) -> str:
    """A type as the engine writes it: INTEGER for `int`, VARCHAR for `text`."""
    key = f"type|{declared}"
    if key not in cache:
        try:
            cache[key] = describe()(f"select cast(null as {declared}) as value")[0][1]
        except EngineError as error:
            known = ("BIGINT", "BOOLEAN", "DATE", "DOUBLE", "INTEGER", "TIMESTAMP", "VARCHAR")
            near = closest(declared.upper(), known, count=1)
            raise ProjectError(
                f"data_type {declared!r} is no type of the engine",
                where=contract.where,
                found=error.what,
                fix=f"did you mean {near}?" if near else "write for example BIGINT or VARCHAR",
            ) from error
    found: str = cache[key]
    return found


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    lines = [HEADS, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADS))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def declared_contract(
    enforced: bool, properties: ModelProperties | SeedProperties | None
) -> Contract | None:
    """What a model promises.

    Raises:
        ProjectError: Nothing is declared to enforce, or constraints without a contract.
    """
    if properties is None or not enforced:
        if properties is not None and next(properties.constraint_tests(), None) is not None:
            raise ProjectError(
                f"{properties.name} has constraints and no enforced contract",
                where=properties.location,
                found="constraints are part of a contract",
                fix="add contract: {enforced: true}, or write data_tests instead",
            )
        if enforced:
            raise ProjectError(
                "a contract is enforced and no columns are declared",
                fix="describe the model in YAML: every column with its data_type",
            )
        return None
    return Contract(
        tuple((c.name, c.data_type or "") for c in properties.columns), properties.location
    )
