"""Writes the files of a packed index: SQL over the published tables in, plain arrays and texts out (`serve.index` reads them)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llm_i2i.errors import LlmI2iError, ProjectError
from llm_i2i.names import quote_identifier
from llm_i2i.serve.index import bucket_shift, searchable

if TYPE_CHECKING:
    import duckdb

COLUMNS = ("trigger_item_id", "related_item_id", "score", "rank")
# An item is asked for as 12, also where a program made 12.0 of its id.
ID_TEXT = (
    "case when typeof({id}) in ('FLOAT', 'DOUBLE') then regexp_replace(cast({id} as varchar), '[.]0$', '')"
    " else cast({id} as varchar) end"
)
IDS = f"select {ID_TEXT.format(id='item_id')} from packing.numbered order by number"
BUCKETS_PER_ITEM = 4  # so that nine lookups of ten find their item at the first place they look
MAX_SCORE = 1e30  # a hundred of them still add up to a finite float32
ROWS = 100_000  # texts fetched at a time


class FolderWriter:
    """Writes the files of one packed index."""

    def __init__(
        self,
        folder: Path,
        connection: duckdb.DuckDBPyConnection,
        tables: Mapping[str, str],
        index: str,
    ) -> None:
        self.folder = folder
        self.connection = connection
        self.tables = tables
        self.index = index
        self.n_items = 0

    def write(self) -> int:
        """Returns the number of items."""
        self._number_items()
        self._ids()
        self._related("related", self.index)
        if f"{self.index}_baseline" in self.tables:
            self._related("baseline", f"{self.index}_baseline")
        self._items()
        if "popular_items" in self.tables:
            self._popular()
        return self.n_items

    def _number_items(self) -> None:
        """Every item a query or an answer may name, numbered in the order of SQL."""
        sources = [
            f"select {column} as item_id from {quote_identifier(table)}"
            for table in (self.index, f"{self.index}_baseline")
            if table in self.tables
            for column in ("trigger_item_id", "related_item_id")
        ]
        sources += [
            f"select item_id from {table}"
            for table in ("items", "popular_items")
            if table in self.tables
        ]
        _execute(
            self.connection,
            "create schema packing; create table packing.numbered as select item_id, row_number() over (order by item_id) - 1 as number "
            f"from (select distinct item_id from ({' union all '.join(sources)}) where item_id is not null)",
        )
        self.n_items = int(rows_of(self.connection, "select count(*) from packing.numbered")[0][0])

    def _ids(self) -> None:
        hashes = np.zeros(self.n_items, np.uint32)

        def hashed() -> Iterator[tuple[str]]:
            for number, (item,) in enumerate(self._stream(IDS)):
                hashes[number] = zlib.crc32(item.encode())
                yield (item,)

        self._texts("ids", hashed())
        order = np.argsort(hashes, kind="stable")
        n_buckets = 1 << (BUCKETS_PER_ITEM * self.n_items - 1).bit_length()
        buckets = hashes[order] >> bucket_shift(n_buckets)
        begins = np.searchsorted(buckets, np.arange(n_buckets + 1))
        self._array("buckets", begins.astype(np.int32))
        self._array("by_hash", order.astype(np.int32))

    def _related(self, prefix: str, table: str) -> None:
        found = _execute(
            self.connection,
            "select triggers.number as trigger, related.number as related, cast(pairs.score as double) as score "
            f"from {quote_identifier(table)} as pairs "
            "left join packing.numbered as triggers on triggers.item_id = pairs.trigger_item_id "
            "left join packing.numbered as related on related.item_id = pairs.related_item_id "
            "order by triggers.number, pairs.rank",
        ).fetchnumpy()
        if any(np.ma.is_masked(column) for column in found.values()):
            raise LlmI2iError(f"{table} has rows without an item or a score", where=table)
        triggers, related, scores = found["trigger"], found["related"], found["score"]
        if not len(triggers):
            if prefix == "baseline":
                return
            raise LlmI2iError(
                f"{table} has no rows: there is nothing to serve",
                where=table,
                fix="see `llmi2i query` for why, and build again",
            )
        if not (np.abs(scores) <= MAX_SCORE).all():
            raise LlmI2iError(
                f"{table} has scores that are not finite or beyond {MAX_SCORE}", where=table
            )
        # an index has float32 scores already; another keeps its doubles
        short = scores.astype(np.float32)
        counts = np.bincount(triggers, minlength=self.n_items)
        self._array(f"{prefix}_offsets", np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
        kept = short if (short == scores).all() else scores
        pairs = np.empty(len(kept), [("item", np.int32), ("score", kept.dtype)])
        pairs["item"], pairs["score"] = related, kept
        self._array(f"{prefix}_pairs", pairs)

    def _items(self) -> None:
        if "items" not in self.tables:
            self._texts(
                "search",
                ((searchable(item) + "\n",) for (item,) in self._stream(IDS)),
            )
            return
        known = {row[0] for row in rows_of(self.connection, "describe items")}

        def column(name: str, otherwise: str) -> str:
            return f"any_value(items.{name})" if name in known else otherwise

        _execute(
            self.connection,
            "create table packing.item_facts as select numbered.number, "
            f"any_value({ID_TEXT.format(id='numbered.item_id')}) as item, "
            f"coalesce(cast({column('title', 'null')} as varchar), '') as title, "
            f"coalesce(cast({column('is_long_tail', 'null')} as boolean), false) as is_long_tail, "
            f"coalesce(cast({column('n_interactions', 'null')} as bigint), 0) as n_interactions "
            "from packing.numbered as numbered left join items on items.item_id = numbered.item_id group by numbered.number",
        )
        self._texts("titles", self._stream("select title from packing.item_facts order by number"))
        self._texts(
            "search",
            (
                (searchable(f"{item} {title}") + "\n",)
                for item, title in self._stream(
                    "select item, title from packing.item_facts order by number"
                )
            ),
        )
        for name in ("is_long_tail", "n_interactions"):
            if name in known:
                found = _execute(
                    self.connection, f"select {name} from packing.item_facts order by number"
                ).fetchnumpy()
                self._array(name, np.asarray(found[name]))

    def _popular(self) -> None:
        found = _execute(
            self.connection,
            "select number, cast(score as double) as score from popular_items "
            "inner join packing.numbered as numbered on numbered.item_id = popular_items.item_id order by popular_items.rank, number",
        ).fetchnumpy()
        if len(found["number"]):
            self._array("popular", np.asarray(found["number"]).astype(np.int64))
            self._array("popular_scores", np.asarray(found["score"], np.float64))

    def _stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        cursor = self.connection.cursor()
        try:
            _execute(cursor, sql)
            while rows := cursor.fetchmany(ROWS):
                yield from rows
        finally:
            cursor.close()

    def _texts(self, name: str, texts: Iterable[tuple[Any, ...]]) -> None:
        """One file of texts, and where each begins; a last newline, because an empty file cannot be mapped."""
        offsets = np.zeros(self.n_items + 1, np.int64)
        with (self.folder / f"{name}.txt").open("wb") as file:
            for number, (text,) in enumerate(texts, start=1):
                offsets[number] = offsets[number - 1] + file.write(text.encode())
            file.write(b"\n")
        self._array(f"{name}_offsets", offsets)

    def _array(self, name: str, values: NDArray[Any]) -> None:
        np.save(self.folder / f"{name}.npy", values)


def rows_of(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    """Of a query; ProjectError where the tables have not what it needs."""
    rows: list[tuple[Any, ...]] = _execute(connection, sql).fetchall()
    return rows


def _execute(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyConnection:
    import duckdb

    try:
        return connection.execute(sql)
    except duckdb.Error as error:
        raise ProjectError(
            "the published tables cannot be packed",
            found=str(error).strip().splitlines()[0],
            fix=f"an index has the columns {', '.join(COLUMNS)}; see project/docs/serving.md",
        ) from error
