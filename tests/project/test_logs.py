"""How a build says how it goes: JSON lines, colours on terminals alone, and builds that follow the files."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.project.conftest import ShopProject

LLMI2I = [sys.executable, "-m", "llm_i2i"]


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_build_as_json_lines(shop: ShopProject) -> None:
    done = shop.run("build", "--log-format", "json")
    found = events(done.stderr)
    assert done.returncode == 0
    assert [found[0]["event"], found[-1]["event"]] == ["build_started", "build_finished"]
    assert (found[0]["models"], found[0]["data_tests"], found[0]["udfs"]) == (5, 6, 2)
    assert found[-1]["success"]
    assert found[-1]["published"]
    scored = next(e for e in found if e["event"] == "node_finished" and e["node"] == "scored")
    assert (scored["status"], scored["calls_made"], scored["rows"]) == ("OK", 20, 20)
    assert {e["level"] for e in found} == {"info"}
    quiet = shop.run("build", "--log-format", "json", "-q")
    assert quiet.stderr == ""


def test_errors_are_json_lines_too(shop: ShopProject) -> None:
    shop.replace("models/kept.sql", "score\n", "score, 1 / 0 as\n")
    done = shop.run("build", "--log-format", "json")
    (found,) = events(done.stderr)
    assert done.returncode == 2
    assert (found["level"], found["event"]) == ("error", "error")
    assert found["error"]["where"].startswith("models/kept.sql")


def test_colours_are_for_terminals(shop: ShopProject) -> None:
    plain = shop.run("build").stderr
    assert "\x1b" not in plain
    assert "Found 5 models, 1 source, 6 data tests, 2 UDFs\n" in plain

    def on_a_terminal(**environment: str) -> bytes:
        ours, theirs = pty.openpty()
        command = [*LLMI2I, "build", "--full-refresh", "--project-dir", str(shop.dir)]
        subprocess.run(command, stderr=theirs, env=os.environ | environment, check=True)
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 65536):
                text += part
        except OSError:  # a terminal that nobody writes to any more
            pass
        os.close(ours)
        return text

    assert b"\x1b[32mOK\x1b[0m created kept" in on_a_terminal()
    assert b"\x1b[32m" not in on_a_terminal(NO_COLOR="1")


def test_watch_builds_again_when_a_file_changes(shop: ShopProject, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"

    def wait_for(text: str, times: int) -> None:
        until = time.monotonic() + 60
        while log.read_text().count(text) < times:
            assert time.monotonic() < until, log.read_text()
            assert process.poll() is None
            time.sleep(0.05)

    with log.open("w") as out:
        process = subprocess.Popen(
            [*LLMI2I, "build", "--watch", "--project-dir", str(shop.dir)], stderr=out
        )
        try:
            wait_for("watching", 1)
            shop.replace("models/kept.sql", "score\n", "score + 1 as score\n")
            wait_for("watching", 2)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
    text = log.read_text()
    assert "changed: kept.sql" in text
    assert text.split("changed:")[1].count("OK created") == 1
    assert process.returncode == 130
