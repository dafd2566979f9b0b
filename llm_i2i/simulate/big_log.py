"""Made-up interaction logs of any size, for measuring what a build costs (project/docs/scale.md).

Seeded and vectorised, written user block by user block, so that memory does not grow with the log. What real logs have and costs hang on:
popularity falls as a power of the rank, users' lengths are lognormal, users keep to a few groups of items (so pairs of users share
several), some events repeat. No behaviour beyond that: a recommender learns groups and popularity from it, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BLOCK_EVENTS = 2_000_000  # events drawn at a time, about 200 MB
SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class BigLog:
    """What the log looks like. Sizes of None are in the ratio of the paper's log: 209M users and 68M items to 10B events.

    Attributes:
        events: Rows of the log, about (lengths are drawn).
        length_sigma: Of the lognormal number of events of a user.
        popularity: Exponent of the popularity of items within their group, by rank (1: Zipf).
        group_size: Items of a group, about.
        groups_per_user: Groups a user mostly takes from.
        stray: Share of events outside the user's groups.
        repeat: Share of events that repeat the user's event before.
        session: Events of a user on one of the days they come, about.
        days: The events lie on so many days, the first `first_day`.
    """

    events: int
    users: int | None = None
    items: int | None = None
    length_sigma: float = 1.0
    popularity: float = 0.9
    group_size: int = 500
    groups_per_user: int = 3
    stray: float = 0.2
    repeat: float = 0.07
    session: float = 4.0
    days: int = 30
    first_day: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    seed: int = 42

    @property
    def n_users(self) -> int:
        return self.users or max(2, round(self.events * 209e6 / 10e9))

    @property
    def n_items(self) -> int:
        return self.items or max(2, round(self.events * 68e6 / 10e9))

    @property
    def n_groups(self) -> int:
        return max(1, self.n_items // self.group_size)


def write_big_log(log: BigLog, out: Path) -> int:
    """Write the log as one Parquet file with user_id, item_id (integers) and timestamp (UTC), users in order; returns the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    out.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([("user_id", pa.int64()), ("item_id", pa.int64()), ("timestamp", pa.timestamp("s"))])  # fmt: skip
    start = int(log.first_day.timestamp())
    rows = 0
    unfinished = out.with_name(out.name + ".part")
    with pq.ParquetWriter(unfinished, schema, compression="zstd") as writer:
        for users, items, seconds in blocks(log):
            times = pa.array(start + seconds, pa.timestamp("s"))
            writer.write_table(pa.table([users, items, times], schema=schema))
            rows += len(users)
    unfinished.replace(out)
    return rows


def write_daily_log(log: BigLog, folder: Path) -> dict[str, int]:
    """The same log as one file a day, `<folder>/2026-01-31.parquet`; day -> rows. Held in memory: for logs of a few million events."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    users, items, seconds = (np.concatenate(column) for column in zip(*blocks(log), strict=True))
    day_of = seconds // SECONDS_A_DAY
    start = int(log.first_day.timestamp())
    rows = {}
    for day in range(log.days):
        chosen = np.flatnonzero(day_of == day)
        name = (log.first_day + timedelta(days=day)).date().isoformat()
        times = pa.array(start + seconds[chosen], pa.timestamp("s"))
        table = pa.table({"user_id": users[chosen], "item_id": items[chosen], "timestamp": times})
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
        rows[name] = len(chosen)
    return rows


def blocks(log: BigLog) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Users, items and seconds since the first day, a block of users at a time; all int64, shape (events of the block,)."""
    mean = log.events / log.n_users
    users_a_block = max(1, int(BLOCK_EVENTS / mean))
    for number, first in enumerate(range(0, log.n_users, users_a_block)):
        draw = np.random.default_rng([log.seed, 6, number])
        n_users = min(users_a_block, log.n_users - first)
        lengths = _lengths(draw, n_users, mean, log.length_sigma)
        user = np.repeat(np.arange(n_users), lengths)
        yield first + user, _items(draw, log, user, n_users), _seconds(draw, log, lengths)


def _lengths(draw: np.random.Generator, n_users: int, mean: float, sigma: float) -> Ints:
    """Lognormal, of this mean, at least 1."""
    raw = draw.lognormal(np.log(mean) - sigma**2 / 2, sigma, n_users)
    lengths: Ints = np.maximum(1, np.rint(raw)).astype(np.int64)
    return lengths


def _items(draw: np.random.Generator, log: BigLog, user: Ints, n_users: int) -> Ints:
    """What each event is of."""
    n = len(user)
    # groups differ in popularity too: the square of a uniform draw favours those of low number.
    favourites = (log.n_groups * draw.random((n_users, log.groups_per_user)) ** 2).astype(np.int64)
    group = favourites[user, draw.integers(log.groups_per_user, size=n)]
    strays = draw.random(n) < log.stray
    group[strays] = (log.n_groups * draw.random(strays.sum()) ** 2).astype(np.int64)
    # group g holds the items g, g + groups, g + 2 groups ..., by falling popularity.
    sizes = (log.n_items - 1 - group) // log.n_groups + 1
    items = group + _rank(draw.random(n), sizes, log.popularity) * log.n_groups
    repeats = np.flatnonzero((draw.random(n) < log.repeat)[1:] & (user[1:] == user[:-1])) + 1
    items[repeats] = items[repeats - 1]
    result: Ints = items
    return result


def _rank(uniform: Floats, sizes: Ints, exponent: float) -> Ints:
    """Ranks from 0 below `sizes`, of density rank ^ -exponent: the inverse of the continuous power law."""
    if abs(exponent - 1) < 1e-9:
        drawn = (sizes + 1.0) ** uniform
    else:
        power = 1 - exponent
        drawn = (((sizes + 1.0) ** power - 1) * uniform + 1) ** (1 / power)
    result: Ints = np.minimum(drawn.astype(np.int64) - 1, sizes - 1)
    return result


def _seconds(draw: np.random.Generator, log: BigLog, lengths: Ints) -> Ints:
    """When, sorted within each user: sessions of an hour, each on a day of its own choice."""
    n_sessions = np.ceil(lengths / log.session).astype(np.int64)
    first_session = np.cumsum(n_sessions) - n_sessions
    day = draw.integers(log.days, size=int(n_sessions.sum()))
    hour = draw.integers(SECONDS_A_DAY - 3600, size=len(day))
    user = np.repeat(np.arange(len(lengths)), lengths)
    session = first_session[user] + (draw.random(len(user)) * n_sessions[user]).astype(np.int64)
    seconds = day[session] * SECONDS_A_DAY + hour[session] + draw.integers(3600, size=len(user))
    result: Ints = seconds[np.lexsort((seconds, user))]
    return result
