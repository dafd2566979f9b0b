"""Hooks: SQL run around a model or a run, on a session that can read what is built and change none of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llm_i2i.errors import EngineError, LlmI2iError, NodeError, ProjectError

if TYPE_CHECKING:
    from llm_i2i.engine.base import Engine
    from llm_i2i.store.environment import Environment
    from llm_i2i.store.store import Store

READING = ("SELECT", "EXPLAIN", "SET", "VARIABLE_SET", "LOAD")
_COPY_TO = re.compile(r"\bto\s+'((?:[^']|'')+)'", re.IGNORECASE)


def check_hook(sql: str, target_dir: Path, where: str) -> None:
    """A hook is one statement that reads, sets an option of the session, or copies rows to a file outside the target folder.

    Raises:
        ProjectError: It is something else.
    """
    import duckdb

    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise ProjectError(
            "a hook is no SQL",
            where=where,
            found=str(error).splitlines()[0],
            fix="correct the statement",
        ) from error
    kinds = [statement.type.name for statement in statements]
    if len(kinds) == 1 and kinds[0] in READING:
        return
    if kinds == ["COPY"]:
        paths = [Path(name.replace("''", "'")).resolve() for name in _COPY_TO.findall(sql)]
        if paths and not any(path.is_relative_to(target_dir.resolve()) for path in paths):
            return
        raise ProjectError(
            "a hook may not write into the folder of results",
            where=where,
            found=" ".join(sql.split())[:120],
            fix=f"copy to a file named in quotes, outside {target_dir}",
        )
    raise ProjectError(
        "a hook may not do this: results are never changed in place",
        where=where,
        found=" ".join(sql.split())[:120] or "nothing",
        fix="write one select, set, load or copy (...) to 'file'",
    )


def run_hooks(hooks: Sequence[str], engine: Engine, where: str) -> None:
    """Run checked hooks on a session, in order.

    Raises:
        NodeError: One failed.
    """
    for sql in hooks:
        try:
            engine.run(sql)
        except EngineError as error:
            raise NodeError(
                f"a hook failed: {error.what}",
                where=where,
                found=" ".join(sql.split())[:120],
                fix="correct the hook; nothing of this step was kept",
            ) from error


def run_project_hooks(
    hooks: Sequence[str],
    where: str,
    target_dir: Path,
    environment: Environment,
    store: Store,
    new_engine: Callable[..., Engine],
) -> None:
    """Run the rendered hooks of a project on what an environment holds now.

    Raises:
        LlmI2iError: A hook may not run, or failed.
    """
    stripped = [hook.strip().rstrip(";") for hook in hooks]
    rendered = [hook for hook in stripped if hook]
    for hook in rendered:
        check_hook(hook, target_dir, where)
    engine = new_engine(isolated=True)
    try:
        pointers = environment.pointers()
        for node, pointer in pointers.items():
            if not pointer.sql:
                engine.declare_parquet(node, [store.data_path(node, pointer.fingerprint)])
        for node, pointer in pointers.items():
            if pointer.sql:
                engine.declare_query(node, pointer.sql)
        run_hooks(rendered, engine, where)
    except LlmI2iError as error:
        error.where = error.where or where
        raise
    finally:
        engine.close()
