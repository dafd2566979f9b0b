"""How two item-to-item indices differ: lists, order, recall with an interval, by popularity, items gained and lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llm_i2i.names import quote_identifier

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import numpy.typing as npt

    from llm_i2i.store.environment import Pointer
    from llm_i2i.store.store import Store

INDEX_COLUMNS = {"trigger_item_id", "related_item_id", "rank"}
RANKS_COLUMNS = {"user_id", "split", "item_id", "rank"}
ITEM_TABLES = ("items", "item_long_tail")  # the first that has item_id and n_interactions counts
DECILES = 10
METRICS = ("recall", "ndcg")


@dataclass(frozen=True)
class ListOverlap:
    """How much the lists of the triggers in both indices agree.

    Attributes:
        decile: Of the trigger's popularity, 1 is the least popular tenth of the items; None over all.
        triggers: Number of triggers.
        overlap: k -> share of the first k related items that both lists have, of the longer list; mean over triggers.
        correlation: Spearman's, of the order of the related items in both lists; mean over triggers with at least two of these.
    """

    decile: int | None
    triggers: int
    overlap: dict[int, float]
    correlation: float | None


@dataclass(frozen=True)
class MetricDifference:
    """A ranking metric of both indices on the same targets, with the 95% bootstrap interval of `difference`.

    Attributes:
        ranks: The table it was read from.
        segment: `all`, `long_tail`, `other`, `new_users` (who are in no other), or `decile 1` to `decile 10` of the target's popularity.
    """

    ranks: str
    split: str
    segment: str
    metric: str
    k: int
    here: float
    there: float
    difference: float
    lower: float
    upper: float
    targets: int


@dataclass(frozen=True)
class Coverage:
    """Items of one role in both indices.

    Attributes:
        role: `trigger`: items that can be looked up; `related`: items recommended in the first k.
        long_tail_here: How many of those here are long-tail items; None if that is not known.
        gained: Items that only here has, by the most popular; `lost` likewise.
    """

    role: str
    here: int
    there: int
    n_gained: int
    n_lost: int
    long_tail_here: int | None
    long_tail_there: int | None
    gained: list[Any] = field(default_factory=list)
    lost: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class IndexDifference:
    """Two indices compared at list lengths `ks`; `note` says what could not be."""

    ks: list[int]
    overlap: ListOverlap
    deciles: list[ListOverlap]
    coverage: list[Coverage]
    metrics: list[MetricDifference]
    note: str = ""


def is_index(columns: Iterable[str]) -> bool:
    """Whether a table with these columns is an item-to-item index."""
    return set(columns) >= INDEX_COLUMNS


def compare_indices(
    store: Store,
    connection: duckdb.DuckDBPyConnection,
    name: str,
    nodes_here: Mapping[str, Pointer],
    nodes_there: Mapping[str, Pointer],
    ks: Sequence[int],
    sample: int,
) -> IndexDifference:
    """Compare `here.<name>` and `there.<name>` of a session."""
    ks = sorted(set(ks))
    notes = []
    counts, has_tail = _declare_items(connection)
    if not counts:
        notes.append(f"no deciles: no table {' or '.join(ITEM_TABLES)} with n_interactions")
    for side in ("here", "there"):
        connection.execute(
            f"create or replace temp view {side}_index as select trigger_item_id as trigger_item, related_item_id as item, rank"
            f" from {side}.{quote_identifier(name)}"
        )
    overlaps = _overlaps(connection, ks)
    metrics, missing = _metrics(store, connection, name, nodes_here, nodes_there, ks)
    notes += missing
    return IndexDifference(
        ks,
        next((o for o in overlaps if o.decile is None), ListOverlap(None, 0, {}, None)),
        [o for o in overlaps if o.decile is not None] if counts else [],
        _coverage(connection, ks[-1], sample, has_tail),
        metrics,
        "; ".join(notes),
    )


def _declare_items(connection: duckdb.DuckDBPyConnection) -> tuple[str, bool]:
    """A table `item_popularity`: item, decile (1 is the least popular tenth), n_interactions, is_long_tail, from here, then there."""
    found = connection.execute(
        "select database_name, table_name, list(column_name) from duckdb_columns()"
        f" where database_name in ('here', 'there') and table_name in {ITEM_TABLES} group by all"
    ).fetchall()
    columns = {(side, table): set(names) for side, table, names in found}
    sources: list[str] = []
    has_tail = True
    for side in ("here", "there"):
        for table in ITEM_TABLES:
            if columns.get((side, table), set()) >= {"item_id", "n_interactions"}:
                tail = "is_long_tail" in columns[side, table]
                has_tail &= tail
                sources.append(
                    f"select item_id as item, n_interactions, {'is_long_tail' if tail else 'false as is_long_tail'},"
                    f" {len(sources)} as place from {side}.{table}"
                )
                break
    body = (
        " union all by name ".join(sources)
        or "select null as item, 0 as n_interactions, false as is_long_tail, 0 as place where false"
    )
    connection.execute(
        f"""
        create or replace temp table item_popularity as
        with once as (select * from ({body}) qualify row_number() over (partition by item order by place) = 1)
        -- item breaks ties, so that each decile is a tenth of the items.
        select item, n_interactions, is_long_tail, ntile({DECILES}) over (order by n_interactions, item) as decile from once
        """
    )
    return ("n_interactions" if sources else ""), bool(sources) and has_tail


def _overlaps(connection: duckdb.DuckDBPyConnection, ks: Sequence[int]) -> list[ListOverlap]:
    """Over all triggers that both have, and by decile."""
    shared = ", ".join(f"count(*) filter (here_rank <= {k} and there_rank <= {k}) / greatest(count(*) filter (here_rank <= {k}), count(*) filter (there_rank <= {k}), 1) as overlap_{k}" for k in ks)  # fmt: skip
    means = ", ".join(f"avg(overlap_{k})" for k in ks)
    rows = connection.execute(
        f"""
        with lists as (
            select coalesce(h.trigger_item, t.trigger_item) as trigger_item, h.rank as here_rank, t.rank as there_rank
            from here_index as h
            full outer join there_index as t on h.trigger_item = t.trigger_item and h.item = t.item
        ),
        shared as (
            select trigger_item, {shared}, count(here_rank) as n_here, count(there_rank) as n_there
            from lists
            group by trigger_item
        ),
        -- places among the items of both lists have no ties: Pearson's correlation of them is Spearman's.
        places as (
            select
                trigger_item,
                row_number() over (partition by trigger_item order by here_rank) as here_place,
                row_number() over (partition by trigger_item order by there_rank) as there_place
            from lists
            where here_rank is not null and there_rank is not null
        ),
        correlations as (
            select trigger_item, corr(here_place, there_place) as correlation
            from places
            group by trigger_item
            having count(*) > 1
        ),
        per_trigger as (
            select * from shared left join correlations using (trigger_item) where n_here > 0 and n_there > 0
        )
        select decile, count(*), avg(correlation), {means}
        from per_trigger left join item_popularity on item = trigger_item
        group by grouping sets ((decile), ())
        having count(*) > 0
        order by grouping(decile) desc, decile nulls last
        """
    ).fetchall()
    if not rows:
        return []
    first, *rest = rows
    parts = [(None, first), *((row[0], row) for row in rest if row[0] is not None)]
    return [
        ListOverlap(decile, row[1], dict(zip(ks, row[3:], strict=True)), row[2])
        for decile, row in parts
    ]


def _coverage(
    connection: duckdb.DuckDBPyConnection, k: int, sample: int, has_tail: bool
) -> list[Coverage]:
    found = []
    for role, column, condition in (
        ("trigger", "trigger_item", "true"),
        ("related", "item", f"rank <= {k}"),
    ):
        connection.execute(
            f"""
            create or replace temp table covered as
            select coalesce(h.item, t.item) as item, h.item is not null as is_here, t.item is not null as is_there
            from (select distinct {column} as item from here_index where {condition}) as h
            full outer join (select distinct {column} as item from there_index where {condition}) as t on h.item = t.item
            """
        )
        here, there, gained, lost, tail_here, tail_there = connection.execute(
            """
            select count(*) filter (is_here), count(*) filter (is_there), count(*) filter (not is_there), count(*) filter (not is_here),
                count(*) filter (is_here and is_long_tail), count(*) filter (is_there and is_long_tail)
            from covered left join item_popularity using (item)
            """
        ).fetchall()[0]
        samples = [
            [
                row[0]
                for row in connection.execute(
                    f"select item from covered left join item_popularity using (item) where not {other}"
                    f" order by n_interactions desc nulls last, item limit {sample}"
                ).fetchall()
            ]
            for other in ("is_there", "is_here")
        ]
        tails = (tail_here, tail_there) if has_tail else (None, None)
        found.append(Coverage(role, here, there, gained, lost, *tails, *samples))
    return found


# -- recall ------------------------------------------------------------------------------------------------------------


def _metrics(
    store: Store,
    connection: duckdb.DuckDBPyConnection,
    name: str,
    nodes_here: Mapping[str, Pointer],
    nodes_there: Mapping[str, Pointer],
    ks: Sequence[int],
) -> tuple[list[MetricDifference], list[str]]:
    """Metrics of every table that ranks the targets by this index, as both environments evaluated it."""
    here, there = (_ranks_tables(store, name, nodes) for nodes in (nodes_here, nodes_there))
    both = [table for table in here if table in there]
    if not both:
        wanted = ", ".join(sorted(RANKS_COLUMNS))
        return [], [
            f"no recall: no table with {wanted} reads {name} in both environments"
            if not here and not there
            else f"no recall: {', '.join({*here, *there})} is in one environment only"
        ]
    found: list[MetricDifference] = []
    notes = []
    for table in both:
        rows, dropped = _paired(connection, table, here[table], there[table])
        if dropped:
            notes.append(f"{dropped:,} targets of {table} are in one environment only and left out")
        found += _table_metrics(table, rows, ks)
    return found, notes


def _ranks_tables(store: Store, index: str, nodes: Mapping[str, Pointer]) -> dict[str, set[str]]:
    """Tables of ranks that were made from the index -> their columns."""
    found = {}
    for name, pointer in nodes.items():
        meta = None if pointer.sql else store.meta(name, pointer.fingerprint)
        if meta is None or index not in meta.parts.get("inputs", {}):
            continue
        columns = {column for column, _ in meta.columns}
        if columns >= RANKS_COLUMNS:
            found[name] = columns
    return found


def _paired(
    connection: duckdb.DuckDBPyConnection, table: str, here: set[str], there: set[str]
) -> tuple[dict[str, npt.NDArray[Any]], int]:
    """The targets of both, as columns; and how many only one has."""
    quoted = quote_identifier(table)
    tail = "h.is_long_tail" if "is_long_tail" in here else "p.is_long_tail"
    # A user is new to the comparison if neither side has learnt from that user.
    new = "h.is_new_user and t.is_new_user" if "is_new_user" in here & there else "false"
    relation = connection.sql(
        f"""
        select
            h.split, coalesce({tail}, false) as is_long_tail, {new} as is_new_user, coalesce(p.decile, 0) as decile,
            coalesce(cast(h.rank as double), 'infinity') as here, coalesce(cast(t.rank as double), 'infinity') as there
        from here.{quoted} as h
        inner join there.{quoted} as t on h.user_id = t.user_id and h.split = t.split and h.item_id = t.item_id
        left join item_popularity as p on p.item = h.item_id
        """
    )
    rows: dict[str, npt.NDArray[Any]] = relation.fetchnumpy()
    total = connection.execute(
        f"select (select count(*) from here.{quoted}) + (select count(*) from there.{quoted})"
    ).fetchall()[0][0]
    return rows, int(total) - 2 * len(rows["here"])


def _table_metrics(
    table: str, rows: Mapping[str, npt.NDArray[Any]], ks: Sequence[int]
) -> list[MetricDifference]:
    import numpy as np

    found: list[MetricDifference] = []
    splits = np.asarray(rows["split"], dtype=str)
    deciles = np.asarray(rows["decile"])
    is_long_tail = np.asarray(rows["is_long_tail"], dtype=bool)
    is_new_user = np.asarray(rows["is_new_user"], dtype=bool)
    segments = {
        "all": ~is_new_user,
        "long_tail": is_long_tail & ~is_new_user,
        "other": ~is_long_tail & ~is_new_user,
        "new_users": is_new_user,
    }
    for split in sorted(set(splits.tolist())):
        in_split = splits == split
        for segment, mask in segments.items():
            found += _difference(table, split, segment, rows, in_split & mask, METRICS, ks)
        for decile in sorted(set(deciles.tolist()) - {0}):
            mask = in_split & ~is_new_user & (deciles == decile)
            found += _difference(table, split, f"decile {decile}", rows, mask, ("recall",), ks)
    return found


def _difference(
    table: str,
    split: str,
    segment: str,
    rows: Mapping[str, npt.NDArray[Any]],
    mask: npt.NDArray[np.bool_],
    metrics: Sequence[str],
    ks: Sequence[int],
) -> list[MetricDifference]:
    import numpy as np

    from llm_i2i.statistics import bootstrap, gains

    if not mask.any():
        return []
    here, there = (np.asarray(rows[side], dtype=np.float64)[mask] for side in ("here", "there"))
    found: list[MetricDifference] = []
    for metric, k in ((metric, k) for metric in metrics for k in ks):
        one, other = gains(here, metric, k), gains(there, metric, k)
        estimate = bootstrap(one - other)
        found.append(
            MetricDifference(
                ranks=table,
                split=split,
                segment=segment,
                metric=metric,
                k=k,
                here=round(float(one.mean()), 12),
                there=round(float(other.mean()), 12),
                difference=estimate.mean,
                lower=estimate.lower,
                upper=estimate.upper,
                targets=estimate.n_users,
            )
        )
    return found
