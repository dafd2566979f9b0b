"""`llmi2i docs`: write the site, or show it to a browser on this machine."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import click

from llm_i2i.errors import ProjectError
from llm_i2i.runner.project import Project


def run_docs(project: Project, action: str, port: int) -> None:
    """`generate` writes target/docs and prints where; `serve` writes it and serves it until Ctrl-C."""
    from llm_i2i.docs_site.write import generate

    index = generate(project)
    click.echo(str(index))
    if action == "serve":
        serve(index.parent, port)


def serve(folder: Path, port: int) -> None:
    """Serve a folder on the loopback address until Ctrl-C.

    Raises:
        ProjectError: The port is taken.
    """
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise ProjectError(
            f"port {port} cannot be served on", found=str(error), fix="pass another: --port 8081"
        ) from error
    with server:
        print(
            f"http://127.0.0.1:{server.server_port}/  (Ctrl-C ends it)", file=sys.stderr, flush=True
        )
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("", err=True)
