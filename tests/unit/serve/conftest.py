"""A store with a published index, made without a build."""

from __future__ import annotations

import functools
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from llm_i2i.serve.index import ServingIndex, open_index
from llm_i2i.serve.pack import pack
from llm_i2i.store.environment import Environment, Pointer

if TYPE_CHECKING:
    from llm_i2i.serve.app import App

ITEMS = 40
Publish = Callable[..., Environment]

# item numbers are their order by id: 'it 10 é' stands before 'it 2 é'
INDEX = """
    select
        'it ' || a || ' é' as trigger_item_id,
        'it ' || b || ' é' as related_item_id,
        cast(cast(1.0 / (1 + (a * 7 + b * {seed}) % 9) as float) as double) as score,
        cast(row_number() over (partition by a order by 1.0 / (1 + (a * 7 + b * {seed}) % 9) desc, 'it ' || b || ' é') as integer) as rank
    from range({items}) as x(a), range({items}) as y(b)
    where a <> b and (a * 5 + b * 3 + {seed}) % 4 = 0 and a > 0
"""
TABLES = {
    "i2i_index": INDEX,
    "i2i_index_baseline": INDEX + " and b < 30",
    "items": """
        select 'it ' || a || ' é' as item_id, 'Kite & <b>drum</b> number ' || a as title, a % 5 = 0 as is_long_tail, 100 - a as n_interactions
        from range({items}) as x(a)
    """,
    "popular_items": "select 'it ' || a || ' é' as item_id, 50 - a as score, a + 1 as rank from range(20) as x(a)",
    "serving_settings": "select 10 as triggers, 0.5::double as decay, true as exclude_seen",
}


def publish_in(folder: Path, seed: int = 1, env: str = "prod", **tables: str | None) -> Environment:
    """Publishes an environment; another `seed` is another index. `tables` replaces or (None) leaves out tables."""
    environment = Environment(folder, env)
    pointers = {}
    for name, sql in ({**TABLES, **tables}).items():
        if sql is None:
            continue
        text = sql.format(seed=seed, items=ITEMS)
        mark = hashlib.sha256(text.encode()).hexdigest()[:8]
        data = folder / "store" / name / mark / "data.parquet"
        if not data.exists():
            data.parent.mkdir(parents=True)
            duckdb.sql(text).write_parquet(str(data))
        pointers[name] = Pointer(mark)
    environment.publish(pointers)
    return environment


@contextmanager
def running(app: App) -> Iterator[tuple[str, int]]:
    """The application behind the service's own server, in a thread; host and port."""
    pytest.importorskip("uvicorn", reason="needs the serve extra")
    from llm_i2i.serve.service import make_server

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = make_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listener.getsockname()
        server.should_exit = True
        thread.join(timeout=20)


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    return functools.partial(publish_in, tmp_path)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> ServingIndex:
    """One packed index for tests that only read."""
    folder = tmp_path_factory.mktemp("packed")
    return open_index(pack(folder, publish_in(folder)))
