"""A draw as the four tables of method.md 4.2, the sources of models/online."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from llm_i2i.simulate.behaviour import Log
from llm_i2i.simulate.shop import Ints
from llm_i2i.simulate.visits import NO_ITEM

FIRST_DAY = date(2025, 3, 3)  # a Monday
_DAY = 86_400.0


def log_tables(log: Log, *, first_day: date = FIRST_DAY) -> dict[str, pa.Table]:
    """requests, exposures, clicks and orders, with the columns of method.md 4.2; `first_day` is the first of the test."""
    visits, shop = log.visits, log.visits.shop
    users, items = pa.array(shop.users), pa.array(shop.items)
    day_0 = (first_day - date(1970, 1, 1)).days * _DAY
    at = day_0 + visits.requests.day * _DAY + visits.requests.second
    request, place = np.nonzero(log.shown != NO_ITEM)
    numbers = np.arange(len(at), dtype=np.int64)
    exposures = {
        "req_id": request,
        "user": _take(users, visits.requests.user[request]),
        "item": _take(items, log.shown[request, place]),
        "pos": (place + 1).astype(np.int32),
        "ts": _times(at[request]),
    }
    # a look of three seconds an item, a click, an order ten minutes later.
    clicked_request, clicked_place = np.nonzero(log.clicked)
    clicked_at = at[clicked_request] + 3.0 * (clicked_place + 1)
    ordered_request, ordered_place = np.nonzero(log.ordered)
    ordered_at = at[ordered_request] + 3.0 * (ordered_place + 1) + 600.0
    ordered_item = np.concatenate([log.shown[ordered_request, ordered_place], log.other_item])
    ordered_user = np.concatenate([visits.requests.user[ordered_request], log.other_user])
    early = day_0 + log.other_day * _DAY + 7 * 3600
    return {
        "requests": pa.table(
            {
                "req_id": numbers,
                "user": _take(users, visits.requests.user),
                "arm": _take(pa.array(visits.arms), log.arm),
                "ts": _times(at),
                "latency_ms": log.latency,
                "n_retrieved": log.n_retrieved,
            }
        ),
        "exposures": pa.table(exposures),
        "clicks": pa.table(
            {
                "req_id": clicked_request,
                "user": _take(users, visits.requests.user[clicked_request]),
                "item": _take(items, log.shown[clicked_request, clicked_place]),
                "ts": _times(clicked_at),
            }
        ),
        "orders": pa.table(
            {
                "user": _take(users, ordered_user),
                "item": _take(items, ordered_item),
                "ts": _times(np.concatenate([ordered_at, early])),
                "amount": shop.prices[ordered_item],
            }
        ),
    }


def write_log(log: Log, folder: Path, *, first_day: date = FIRST_DAY) -> dict[str, int]:
    """The tables as Parquet files in a folder; table -> rows."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = log_tables(log, first_day=first_day)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return {name: table.num_rows for name, table in tables.items()}


def _take(values: pa.Array, numbers: Ints) -> Any:
    return values.take(pa.array(numbers))


def _times(seconds: npt.NDArray[np.float64]) -> Any:
    return pa.array((seconds * 1e6).astype(np.int64), pa.timestamp("us"))
