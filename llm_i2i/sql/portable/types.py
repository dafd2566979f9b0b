"""Column types of DuckDB as Spark has them."""

from __future__ import annotations

from sqlglot import exp

from llm_i2i.errors import ProjectError

_T = exp.DataType.Type
INTEGERS = {_T.TINYINT, _T.SMALLINT, _T.INT, _T.BIGINT}
WIDE_INTEGERS = {_T.INT128, _T.UINT128}
UNSIGNED = {_T.UTINYINT: "SMALLINT", _T.USMALLINT: "INT", _T.UINT: "BIGINT", _T.UBIGINT: "DECIMAL(20,0)"}  # fmt: skip
FLOATS = {_T.FLOAT, _T.DOUBLE}
_PLAIN = {
    _T.BOOLEAN: "BOOLEAN", _T.TINYINT: "TINYINT", _T.SMALLINT: "SMALLINT", _T.INT: "INT", _T.BIGINT: "BIGINT",
    _T.FLOAT: "FLOAT", _T.DOUBLE: "DOUBLE", _T.VARCHAR: "STRING", _T.TEXT: "STRING", _T.VARBINARY: "BINARY", _T.BLOB: "BINARY",
    _T.DATE: "DATE", _T.TIMESTAMP: "TIMESTAMP_NTZ", _T.TIMESTAMPNTZ: "TIMESTAMP_NTZ", _T.TIMESTAMPTZ: "TIMESTAMP",
    _T.TIMESTAMPLTZ: "TIMESTAMP", _T.NULL: "VOID", **UNSIGNED,
}  # fmt: skip


def spark_type(sql_type: str) -> str:
    """The Spark type that holds a DuckDB type's values, such as ARRAY<DOUBLE> for DOUBLE[].

    HUGEINT becomes DOUBLE, as DuckDB itself writes it to Parquet; unsigned integers the next wider signed type; TIMESTAMP is
    TIMESTAMP_NTZ, which like DuckDB's knows no time zone.

    Raises:
        ProjectError: Spark has no such type.
    """
    return _spark_type(exp.DataType.build(sql_type, dialect="duckdb"), sql_type)


def _spark_type(node: exp.DataType, whole: str) -> str:
    if node.this in WIDE_INTEGERS:
        return "DOUBLE"
    if node.this in (_T.ARRAY, _T.LIST):
        return f"ARRAY<{_spark_type(node.expressions[0], whole)}>"
    if node.this is _T.MAP:
        key, value = (_spark_type(part, whole) for part in node.expressions)
        return f"MAP<{key}, {value}>"
    if node.this is _T.STRUCT:
        fields = [f"`{f.name}`: {_spark_type(f.args['kind'], whole)}" for f in node.expressions]
        return f"STRUCT<{', '.join(fields)}>"
    if node.this is _T.DECIMAL:
        return str(node.sql("spark"))
    if node.this in _PLAIN:
        return _PLAIN[node.this]
    raise ProjectError(
        f"type {node.sql('duckdb')} cannot be carried to Spark",
        found=whole,
        fix="cast the column to VARCHAR, BIGINT, DOUBLE, DATE or TIMESTAMP",
    )
