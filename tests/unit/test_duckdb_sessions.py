"""Sessions of one process share a DuckDB and see nothing of each other."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from llm_i2i.engine.duckdb import DuckDBEngine
from llm_i2i.engine.instances import Instance, _instances, shared_instance
from llm_i2i.errors import EngineError
from llm_i2i.udf.registry import UdfRegistry


def instance_of(engine: DuckDBEngine) -> Instance:
    return engine._instance


def databases(instance: Instance) -> int:
    return len([n for (n,) in instance._connection.execute("select database_name from duckdb_databases()").fetchall() if n.startswith("session_")])  # fmt: skip


def test_sessions_share_an_instance_and_no_relation() -> None:
    one, two = DuckDBEngine(threads=1), DuckDBEngine(threads=1)
    assert instance_of(one) is instance_of(two)
    one.create_table("events", "select 1 as item")
    two.create_table("events", "select 2 as item")
    assert one.rows("from events") == [(1,)]
    assert two.rows("from events") == [(2,)]
    assert [b.to_pylist() for b in two.batches("from events", 10)] == [[{"item": 2}]]
    one.declare_query("only_here", "select 3 as item")
    with pytest.raises(EngineError):
        two.rows("from only_here")
    one.close()
    two.close()


def test_other_settings_are_another_instance_and_so_is_a_session_of_its_own() -> None:
    one, two = DuckDBEngine(threads=1), DuckDBEngine(threads=2)
    alone = DuckDBEngine(threads=1, isolated=True)
    assert len({id(instance_of(e)) for e in (one, two, alone)}) == 3
    alone.run("set threads = 3")
    assert one.rows("select current_setting('threads')") == [(1,)]
    for engine in (one, two, alone):
        engine.close()


def test_a_session_that_nobody_closes_ends_with_its_engine() -> None:
    kept = DuckDBEngine(threads=1)
    before = databases(instance_of(kept))
    dropped = DuckDBEngine(threads=1)
    dropped.create_table("events", "select 1 as item")
    assert databases(instance_of(kept)) == before + 1
    del dropped
    gc.collect()
    assert databases(instance_of(kept)) == before
    kept.close()
    kept.close()  # twice is once


def test_an_idle_instance_that_holds_much_is_closed() -> None:
    engine = DuckDBEngine(threads=1, memory_limit="1.5GB")
    instance = instance_of(engine)
    engine.create_table("much", "select range as item, hash(range) as a, hash(range + 1) as b from range(5000000)")  # fmt: skip
    other = DuckDBEngine(threads=1, memory_limit="1.5GB")
    assert instance_of(other) is instance
    engine.close()
    other.close()
    again = DuckDBEngine(threads=1, memory_limit="1.5GB")
    assert shared_instance({"autoinstall_known_extensions": "false", "threads": 1, "memory_limit": "1.5GB"}) is instance_of(again)  # fmt: skip
    again.close()


def test_an_idle_instance_makes_room_for_one_with_other_settings(tmp_path: Path) -> None:
    """Each project has a folder of its own to spill to: a process that opens many keeps one."""
    for number in range(5):
        DuckDBEngine(threads=1, spill_dir=tmp_path / str(number)).close()
    assert len([i for i in _instances.values() if not i.sessions]) == 1


def test_another_function_of_the_same_name_replaces_the_first(tmp_path: Path) -> None:
    """Two projects of one process may each have a function `step`."""
    for number, expected in ((1, 2), (1, 2), (10, 11)):
        file = tmp_path / f"by_{number}_{expected}.py"
        file.write_text(
            "from llm_i2i.udf import scalar_udf\n\n\n"
            f'@scalar_udf(returns="BIGINT")\ndef step(x: int) -> int:\n    """More."""\n    return x + {number}\n'
        )
        registry = UdfRegistry()
        registry.load_file(file)
        engine = DuckDBEngine(threads=1)
        engine.declare_scalar(registry.signatures["step"], registry.function("step"))
        assert engine.rows("select step(1)") == [(expected,)]
        engine.close()
