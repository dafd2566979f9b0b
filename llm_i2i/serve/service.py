"""Runs the service: opens the socket, watches the environment, ends cleanly.

`llmi2i serve` ends in `python -m llm_i2i.serve.service TARGET_DIR ENV INDEX HOST PORT`: a process without what reading a project takes.
"""

from __future__ import annotations

import gc
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llm_i2i.errors import LlmI2iError, ProjectError
from llm_i2i.serve.app import App, make_app
from llm_i2i.serve.publications import Log, Publications

if TYPE_CHECKING:
    import uvicorn

BACKLOG = 2048
GRACE_SECONDS = 10  # for requests in flight when the service is told to end


def serve(target_dir: Path, env: str, index: str, host: str, port: int, log: Log) -> None:
    """Serve an environment until SIGTERM or Ctrl-C; returns when requests in flight are answered.

    Args:
        port: 0: any free one.

    Raises:
        LlmI2iError: There is nothing to serve, or nowhere to listen.
    """
    publications = Publications(target_dir, env, index, log=log)
    app = make_app(publications)
    listener = _listen(host, port)
    served = publications.served
    log(
        f"environment {env!r}, version {served.version}: {served.n_items:,} items, {served.n_pairs:,} pairs\n"
        f"listening on http://{_shown(host)}:{listener.getsockname()[1]}; Ctrl-C ends it"
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again once it has ended: that is no reason to die of it.
        signal.signal(number, lambda *_: None)
    gc.collect()
    gc.freeze()  # what is loaded stays: collections need not look at it again
    publications.start()
    try:
        make_server(app).run(sockets=[listener])
    finally:
        publications.stop()
        listener.close()
    log("ended")


def make_server(app: App) -> uvicorn.Server:
    """What reads HTTP for the application."""
    import uvicorn

    from llm_i2i.serve.protocol import LimitedProtocol

    config = uvicorn.Config(
        app,
        http=LimitedProtocol,
        ws="none",
        lifespan="off",
        log_level="error",  # not a line for each request that is not HTTP
        access_log=False,
        proxy_headers=False,  # nothing here asks who the client is
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return uvicorn.Server(config)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ProjectError(
            f"cannot listen on {_shown(host)}:{port}",
            found=str(error.strerror or error),
            fix="choose another --port, or end what listens there",
        ) from error


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def main() -> None:
    """Serve what the command line says."""
    target_dir, env, index, host, port = sys.argv[1:]
    try:
        serve(
            Path(target_dir),
            env,
            index,
            host,
            int(port),
            lambda line: print(line, file=sys.stderr, flush=True),
        )
    except LlmI2iError as error:
        print(error.render(), file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
