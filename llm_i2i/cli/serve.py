"""`llmi2i serve` and `llmi2i publish-redis`."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import NoReturn

import click

from llm_i2i.errors import ProjectError
from llm_i2i.runner.project import Project


def run_serve(project: Project, index: str, host: str, port: int) -> NoReturn:
    """Become the service of the project's environment; what was loaded to read the project goes with this program."""
    _need("serve", "starlette", "uvicorn", "httptools", "msgspec")
    place = [project.target_dir, project.environment.name, index, host, port]
    command = [sys.executable, "-m", "llm_i2i.serve.service", *map(str, place)]
    os.execv(command[0], command)


def run_publish_redis(project: Project, url: str, index: str, prefix: str, keep: int) -> None:
    """Write the project's index to Redis and switch its readers to it."""
    _need("redis", "redis")
    from llm_i2i.serve.index import open_index
    from llm_i2i.serve.pack import pack
    from llm_i2i.serve.redis import publish

    packed = open_index(pack(project.target_dir, project.environment, index))
    published = publish(packed, url, prefix, keep=keep)
    click.echo(
        f"{prefix}: version {published.version}, {published.lists:,} lists, {published.pairs:,} pairs"
        + (f"; removed {', '.join(published.removed)}" if published.removed else ""),
        err=True,
    )


def _need(extra: str, *modules: str) -> None:
    absent = [module for module in modules if find_spec(module) is None]
    if absent:
        raise ProjectError(
            f"this needs the extra {extra!r}",
            found=f"not installed: {', '.join(absent)}",
            fix=f"pip install 'llm_i2i[{extra}]'",
        )
