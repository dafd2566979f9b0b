"""The entry point of `llmi2i`. Commands are in `llm_i2i.cli.commands`; the work is in `llm_i2i.runner.Project`."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from llm_i2i.cli.group import COMMANDS, Commands
from llm_i2i.cli.options import LOG_FORMAT
from llm_i2i.errors import LlmI2iError, disk_error
from llm_i2i.version import __version__

LISTING = ("ls", "list", "vars", "query", "show", "plan", "compile", "lineage", "diff")
INTERRUPTED = 130  # what shells report for Ctrl-C


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
)
@click.version_option(__version__, prog_name="llmi2i", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Repair an interaction log with language models, train item-to-item indices on it, query recall in SQL.

    Start with `llmi2i build`, then `llmi2i query "from metrics_summary"`.
    """
    if context.invoked_subcommand is None:
        from llm_i2i.cli.next_steps import render_next_steps

        click.echo(render_next_steps(Path()))


def main() -> None:
    """Entry point: our errors become messages and exit codes, never tracebacks."""
    # Loading makes many small objects that stay: looking through them again and again takes a tenth of a listing's time.
    gc.set_threshold(200_000, 20, 20)
    if len(sys.argv) > 1 and sys.argv[1] in LISTING and hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `llmi2i ls | head` ends as any listing does
    _make_streams_writable()
    ended: list[int] = []  # signals that told us to end

    def end(number: int, _: FrameType | None) -> None:
        ended.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    try:
        cli.main(prog_name="llmi2i", standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        if isinstance(error, click.NoSuchOption):
            from llm_i2i.cli.words import explain

            error = explain(error, sys.argv[1:], COMMANDS)
        error.show()
        sys.exit(2)
    except LlmI2iError as error:
        _tell(error)
    except (KeyboardInterrupt, click.Abort):
        again = "run the same command again to go on"
        if {"-f", "--full-refresh"} & set(sys.argv):
            again = "build without --full-refresh to go on: with it everything begins anew"
        print(f"\ninterrupted: finished nodes and batches are kept, {again}", file=sys.stderr)
        sys.exit(128 + ended[0] if ended else INTERRUPTED)
    except BrokenPipeError:  # the reader of a pipe has left: nobody to tell
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if isinstance(error, OSError) and (problem := disk_error(error)):
            _tell(problem)
        if os.environ.get("LLMI2I_TRACEBACK"):
            raise
        problem = LlmI2iError(
            f"unexpected {type(error).__name__}: {error}",
            fix="this is a defect of llmi2i; run again with LLMI2I_TRACEBACK=1 and report what it prints",
        )
        print(problem.render(), file=sys.stderr)
        sys.exit(1)


def _make_streams_writable() -> None:
    """A closed stdout takes what is written to it, and a terminal that lacks a letter shows its number."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (until the process ends)
        elif hasattr(stream, "reconfigure") and "utf" not in (stream.encoding or "").lower():
            stream.reconfigure(errors="backslashreplace")


def _tell(error: LlmI2iError) -> NoReturn:
    """Print an error in the form that was asked for, and end with its code."""
    if os.environ.get(LOG_FORMAT) == "json":
        from llm_i2i.cli.json_log import print_error

        print_error(error)
    else:
        print(error.render(), file=sys.stderr)
    sys.exit(error.exit_code)
