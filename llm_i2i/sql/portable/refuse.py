"""What cannot be carried to Spark, each with the portable way to write it.

Functions are carried by name only if their meaning was checked on both engines (tests/golden/portable): one that is merely called the
same may differ silently, as hash() does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlglot import exp

from llm_i2i.errors import LlmI2iError, ProjectError

PORTABLE = (
    # aggregates and windows
    exp.AnyValue, exp.ArgMax, exp.ArgMin, exp.ArrayAgg, exp.Avg, exp.Count, exp.CountIf, exp.GroupConcat, exp.LogicalAnd,
    exp.LogicalOr, exp.Max, exp.Median, exp.Min, exp.PercentileCont, exp.PercentileDisc, exp.StddevPop, exp.StddevSamp, exp.Sum,
    exp.Variance, exp.VariancePop, exp.DenseRank, exp.FirstValue, exp.Lag, exp.LastValue, exp.Lead, exp.Ntile, exp.PercentRank,
    exp.CumeDist, exp.Rank, exp.RowNumber,
    # numbers
    exp.Abs, exp.Ceil, exp.Exp, exp.Floor, exp.Greatest, exp.Least, exp.Ln, exp.Log, exp.Pow, exp.Round, exp.Sign, exp.Sqrt,
    # conditions and types
    exp.Case, exp.Cast, exp.TryCast, exp.Coalesce, exp.If, exp.Nullif, exp.Typeof, exp.And, exp.Or, exp.Xor, exp.Exists,
    # text and times
    exp.Chr, exp.Concat, exp.ConcatWs, exp.Format, exp.Left, exp.Length, exp.Lower, exp.MD5, exp.RegexpExtractAll, exp.RegexpReplace, exp.RegexpSplit, exp.Replace,
    exp.Substring, exp.Trim, exp.Upper, exp.StartsWith, exp.TimestampTrunc, exp.DateTrunc,
    # lists and structs
    exp.Array, exp.ArrayConcat, exp.ArrayContains, exp.ArrayDistinct, exp.ArrayFilter, exp.ArraySort, exp.ArrayToString,
    exp.Explode, exp.GenerateSeries, exp.Struct, exp.Transform, exp.Unnest,
)  # fmt: skip
PORTABLE_NAMES = {"list_dot_product", "list_inner_product"}
INSTEAD = {
    "hash": "use the macro random_number(seed) or arithmetic on ids: the engines hash differently",
    "md5_number": "use arithmetic on ids",
    "random": "use the macro random_number(seed): a draw must be the same on every run",
    "rand": "use the macro random_number(seed): a draw must be the same on every run",
    "uuid": "use row_number() over (order by ...)",
    "list_sum": "unnest the list and sum, grouped by its key",
    "list_aggregate": "unnest the list and aggregate, grouped by its key",
    "list_zip": "unnest both lists with range(1, len(l) + 1) and join on the place",
    "generate_subscripts": "unnest(range(1, len(l) + 1))",
    "first": "any_value(x), or arg_min(x, k) with a unique k",
    "last": "arg_max(x, k) with a unique k",
    "mode": "count each value and take the first of row_number() over (order by count(*) desc, value)",
    "strftime": "keep the TIMESTAMP, or date_trunc('day', ts)",
    "strptime": "cast(text as TIMESTAMP) on ISO 8601 text; convert other formats before the log is read",
    "approx_count_distinct": "count(distinct x): approximations differ",
    "approx_quantile": "quantile_cont(x, p)",
    "read_csv": "declare the file as a source in YAML",
    "read_parquet": "declare the file as a source in YAML",
    "read_json": "declare the file as a source in YAML",
}


def refused(tree: exp.Expression, udfs: Collection[str] = ()) -> list[LlmI2iError]:
    """An error for each construct that cannot be carried, in the order they are written.

    Args:
        udfs: Lower-case names of scalar UDFs, which are registered with Spark under the same name.
    """
    return [error for node in tree.dfs() for error in _errors(node, udfs)]


def _errors(node: exp.Expression, udfs: Collection[str]) -> Iterator[LlmI2iError]:
    if isinstance(node, exp.Anonymous):
        if node.name.lower() not in PORTABLE_NAMES and node.name.lower() not in udfs:
            yield _function(node, node.name.lower())
    elif isinstance(node, exp.Columns):
        yield _clause(node, "COLUMNS() inside an expression", "name the columns")
    elif isinstance(node, exp.Func) and not isinstance(node, PORTABLE):
        yield _function(node, _written_name(node))
    elif isinstance(node, exp.RegexpReplace) and _flags(node) != "g":
        fix = "write the option 'g'; to replace the first match alone anchor the pattern with ^"
        yield _clause(node, "regexp_replace of the first match", fix)
    elif isinstance(node, exp.TableSample):
        yield _clause(node, "a sample", "draw rows by the macro random_number(seed) in WHERE")
    elif isinstance(node, exp.Join) and (node.method or "").upper() in ("ASOF", "POSITIONAL"):
        fix = "join on a range and keep the first by row_number(); for places join on row_number()"
        yield _clause(node, f"a {node.method} join", fix)
    elif isinstance(node, exp.With) and node.recursive:
        fix = "give it USING KEY and read recurring.<its name> alone (then it runs in rounds), unroll it, or compute it in a table UDF"
        yield _clause(node, "a recursive CTE", fix)
    elif isinstance(node, exp.Pivot):
        yield _clause(node, "PIVOT", "write max(case when key = 'a' then value end) as a, ...")
    elif isinstance(node, exp.Lateral):
        yield _clause(node, "a lateral join", "join in a CTE and number its rows with row_number()")
    elif isinstance(node, exp.Qualify) and _distinct_on(node.parent):
        yield _clause(node, "DISTINCT ON with QUALIFY", "add row_number() over (partition by ...) = 1 to the condition")  # fmt: skip
    elif isinstance(node, (exp.Explode, exp.Unnest)):
        yield from _unnest(node)
    elif isinstance(node, exp.WindowSpec) and node.args.get("exclude"):
        yield _clause(node, "EXCLUDE in a window", "subtract the row's own value")


def _unnest(node: exp.Expression) -> Iterator[LlmI2iError]:
    """A list in the SELECT may be unnested as a column of its own, and only one."""
    if isinstance(node, exp.Explode) or isinstance(node.parent, (exp.Alias, exp.Select)):
        select = node.find_ancestor(exp.Select)
        if not isinstance(node.parent, (exp.Alias, exp.Select)):
            yield _clause(
                node, "unnest inside an expression", "unnest in a CTE, compute on its column"
            )
        elif select and [e for e in select.expressions if e.find(exp.Explode)][1:2] == [
            _item(node)
        ]:
            yield _clause(
                node,
                "two unnests in one SELECT",
                "unnest(range(1, len(l) + 1)) as place, and l[place], m[place] in the next CTE",
            )


def _distinct_on(select: exp.Expression) -> bool:
    distinct = select.args.get("distinct")
    return distinct is not None and distinct.args.get("on") is not None


def _flags(node: exp.RegexpReplace) -> str:
    modifiers = node.args.get("modifiers")
    return modifiers.name if modifiers is not None else ""


def _item(node: exp.Expression) -> exp.Expression:
    return node.parent if isinstance(node.parent, exp.Alias) else node


def _written_name(node: exp.Func) -> str:
    text: str = node.sql("duckdb")
    return text.partition("(")[0].lower() if "(" in text else str(node.sql_name()).lower()


def _function(node: exp.Expression, name: str) -> LlmI2iError:
    return ProjectError(
        f"{name}(...) cannot be carried to Spark",
        found=node.sql("duckdb")[:160],
        fix=INSTEAD.get(name)
        or "write it with functions that mean the same on both engines (docs/spark.md lists them)",
    )


def _clause(node: exp.Expression, what: str, fix: str) -> LlmI2iError:
    return ProjectError(
        f"{what} cannot be carried to Spark", found=node.sql("duckdb")[:160], fix=fix
    )
