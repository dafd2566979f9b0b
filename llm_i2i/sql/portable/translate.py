"""A query in DuckDB SQL -> the same query in Spark SQL.

parse -> write out COLUMNS and the like -> refuse what cannot be carried -> qualify and type every column -> `RULES` in order
-> cast each output to the type DuckDB gives it -> Spark SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from sqlglot import exp, parse_one
from sqlglot.dialects import DuckDB
from sqlglot.errors import OptimizeError, SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from llm_i2i.errors import ProjectError, raise_all
from llm_i2i.sql.portable import filters, lists, numbers, text
from llm_i2i.sql.portable.ctes import name_ctes
from llm_i2i.sql.portable.expand import Describer, expand
from llm_i2i.sql.portable.refuse import refused
from llm_i2i.sql.portable.types import spark_type
from llm_i2i.sql.portable.walk import Rule, rewrite
from llm_i2i.sql.steps import Columns

VERSION = 3  # raise it when the translation of a query changes

RULES: tuple[Rule, ...] = (
    # before anything is rewritten: what they say depends on types that rewriting would hide
    text.named_type,
    text.formatted_text,
    text.printed_float,
    numbers.single_precision,
    numbers.rounding_cast,
    numbers.double_literal,
    numbers.division,
    numbers.counted_booleans,
    numbers.continuous_quantile,
    numbers.discrete_quantile,
    lists.length,
    lists.element,
    lists.number_range,
    lists.concatenation,
    lists.distinct_values,
    lists.dot_product,
    lists.window_list,
    lists.ordered_list,
    text.whole_match,
    text.distinct_tuples,
    text.truncated_time,
    filters.filter_by_window,
)


_TEXTS = exp.DataType.build("TEXT[]", dialect="duckdb")


class _Source(DuckDB):  # type: ignore[misc]
    """DuckDB's grammar with list indices left as they are written, for `lists.element` to translate."""

    INDEX_OFFSET = 0
    EXPRESSION_METADATA: ClassVar[dict[type, Any]] = {
        **DuckDB.EXPRESSION_METADATA,
        exp.RegexpExtractAll: {"annotator": lambda self, node: self._set_type(node, _TEXTS)},
        exp.RegexpSplit: {"annotator": lambda self, node: self._set_type(node, _TEXTS)},
        exp.ArrayDistinct: {"annotator": lambda self, node: self._set_type(node, node.this.type)},
        exp.PercentileCont: {"annotator": lambda self, node: self._set_type(node, _quantile(node))},
    }


def _quantile(node: exp.PercentileCont) -> exp.DataType:
    """quantile_cont with a list of shares is a list."""
    many = isinstance(node.expression, exp.Array)
    return exp.DataType.build("DOUBLE[]" if many else "DOUBLE", dialect="duckdb")


def translate(
    sql: str,
    relations: Mapping[str, Columns],
    columns: Columns,
    binder: Describer,
    udfs: Collection[str] = (),
) -> str:
    """The query in Spark SQL, its output named and typed as `columns` say.

    Args:
        relations: Columns of every relation the query reads, with DuckDB's types.
        columns: What DuckDB says the query returns.
        binder: DuckDB with the same relations declared.
        udfs: Lower-case names of scalar UDFs.

    Raises:
        ProjectError: Something in it cannot be carried; says how to write it so that it can.
    """
    tree = expand(parse_one(sql, dialect=_Source), binder)
    raise_all(refused(tree, udfs))
    tree = _qualified(tree, relations)
    for rule in RULES:
        tree = rewrite(tree, rule)
    name_ctes(tree, relations)
    text: str = _typed_output(tree, columns).sql(dialect="spark", pretty=True)
    return text


def _qualified(tree: exp.Expression, relations: Mapping[str, Columns]) -> exp.Expression:
    schema = MappingSchema(dialect=_Source)
    for name, columns in relations.items():
        schema.add_table(
            exp.to_table(name, dialect="duckdb"), dict(columns), dialect=_Source, match_depth=False
        )
    try:
        tree = qualify(tree, schema=schema, dialect=_Source)
    except (OptimizeError, SqlglotError) as error:
        raise ProjectError(
            "the query cannot be carried to Spark: a column's table is not clear",
            found=str(error).splitlines()[0][:200],
            fix="write the table before the column: t.x",
        ) from error
    return annotate_types(tree, schema=schema, dialect=_Source)


def _typed_output(tree: exp.Expression, columns: Columns) -> exp.Expression:
    """Cast each output column to its declared type: on Spark an expression may be wider or narrower.

    A query with ORDER BY is cast in place, since the order of a subquery is nobody's; any other becomes a subquery.
    """
    types = [exp.DataType.build(spark_type(kind), dialect="spark") for _, kind in columns]
    names = [name for name, _ in columns]
    if _is_ordered(tree):
        values = [projection.unalias() for projection in tree.selects]
        tree.set("expressions", _cast(values, names, types))
        return tree
    inner_names = [exp.to_identifier(f"c{i}") for i in range(len(columns))]
    alias = exp.TableAlias(this=exp.to_identifier("outputs"), columns=inner_names)
    values = [exp.column(name.name) for name in inner_names]
    source = exp.From(this=exp.Subquery(this=tree, alias=alias))
    return exp.Select(expressions=_cast(values, names, types), from_=source)


def _is_ordered(tree: exp.Expression) -> bool:
    """Whether it is a plain select with ORDER BY."""
    return (
        isinstance(tree, exp.Select)
        and tree.args.get("order") is not None
        and not any(isinstance(e.unalias(), exp.Explode) for e in tree.expressions)
    )


def _cast(
    values: list[exp.Expression], names: list[str], types: list[exp.DataType]
) -> list[exp.Expression]:
    return [
        exp.alias_(exp.Cast(this=value, to=kind), name, quoted=True)
        for value, name, kind in zip(values, names, types, strict=True)
    ]
