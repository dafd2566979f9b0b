"""The index outside of the warehouse: serve, publish, publish-redis."""

from __future__ import annotations

from typing import Any

import click

from llm_i2i.cli.options import open_project, project_options


@click.command()
@project_options
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="0: any free one.",
)
@click.option("--index", default="i2i_index", show_default=True, help="The index to serve.")
def serve(host: str, port: int, index: str, **settings: Any) -> None:
    """Serve the index over HTTP.

    What is published later is picked up.
    """
    from llm_i2i.cli.serve import run_serve

    run_serve(open_project(**settings), index, host, port)


@click.command()
@project_options
@click.argument("table")
@click.argument("place")
def publish(table: str, place: str, **settings: Any) -> None:
    """Write a table where it is served, and switch readers to it.

    PLACE is shop:public.i2i_index, a view in the attached database shop, or the folder or address of a Delta table.
    """
    from llm_i2i.cli.environments import say_published

    say_published(table, open_project(**settings).publish(table, place))


@click.command("publish-redis")
@project_options
@click.argument("url")
@click.option("--index", default="i2i_index", show_default=True, help="The index to write.")
@click.option("--prefix", default="i2i", show_default=True, help="What all its keys begin with.")
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Earlier versions that stay.",
)
def publish_redis(url: str, index: str, prefix: str, keep: int, **settings: Any) -> None:
    """Write the index to Redis and switch readers to it.

    URL is redis://host:6379/0 or the like.
    """
    from llm_i2i.cli.serve import run_publish_redis

    run_publish_redis(open_project(**settings), url, index, prefix, keep)
