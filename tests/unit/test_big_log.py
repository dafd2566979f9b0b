"""Made-up logs of any size: seeded, skewed as asked, the same by day."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from llm_i2i.cli.main import cli
from llm_i2i.simulate import big_log
from llm_i2i.simulate.big_log import BigLog, blocks, write_big_log, write_daily_log

LOG = BigLog(events=20_000, users=500, items=900, days=20)


def columns(log: BigLog) -> list[np.ndarray]:
    return [np.concatenate(column) for column in zip(*blocks(log), strict=True)]


def test_it_has_the_sizes_asked_for() -> None:
    users, items, seconds = columns(LOG)
    assert len(users) == pytest.approx(LOG.events, rel=0.15)
    assert set(users) == set(range(500))
    assert items.min() >= 0
    assert items.max() < 900
    assert seconds.min() >= 0
    assert seconds.max() < 20 * 86_400
    same_user = users[1:] == users[:-1]
    assert (np.diff(seconds)[same_user] >= 0).all(), "in order"


def test_a_few_items_and_users_have_much() -> None:
    users, items, _ = columns(LOG)
    by_item = sorted(Counter(items.tolist()).values(), reverse=True)
    assert sum(by_item[:90]) > 0.3 * len(items), "a tenth of the items has a third of the events"
    lengths = np.bincount(users)
    assert lengths.max() > 4 * np.median(lengths)
    pairs = len(set(zip(users.tolist(), items.tolist(), strict=True)))
    assert 0.6 < pairs / len(users) < 0.97, "some events repeat"


def test_the_paper_s_ratio_is_the_default() -> None:
    log = BigLog(events=10_000_000_000)
    assert (log.n_users, log.n_items) == (209_000_000, 68_000_000)


def test_the_seed_makes_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(big_log, "BLOCK_EVENTS", 3000)  # several blocks
    files = [tmp_path / f"{n}.parquet" for n in range(3)]
    rows = [write_big_log(BigLog(20_000, 500, 900, seed=s), f) for s, f in zip((1, 1, 2), files, strict=True)]  # fmt: skip
    one, same, other = (pq.read_table(file) for file in files)
    assert rows[0] == one.num_rows
    assert one.equals(same)
    assert not one.equals(other)


def test_by_day_it_is_the_same_log(tmp_path: Path) -> None:
    whole = tmp_path / "log.parquet"
    write_big_log(LOG, whole)
    rows = write_daily_log(LOG, tmp_path / "days")
    days = pq.read_table(tmp_path / "days")
    order = [("user_id", "ascending"), ("timestamp", "ascending"), ("item_id", "ascending")]
    assert days.sort_by(order).equals(pq.read_table(whole).sort_by(order))
    assert sum(rows.values()) == days.num_rows
    first = pq.read_table(tmp_path / "days" / "2026-01-01.parquet")["timestamp"].to_pylist()
    assert {time.date().isoformat() for time in first} == {"2026-01-01"}


def test_the_command_writes_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["simulate-log", str(tmp_path / "a.parquet"), "--events", "1000"])  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "of 21 users and 7 items" in result.output
