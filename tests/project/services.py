"""`llmi2i serve` in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def serve_command(target_dir: Path, index: str, *more: str) -> list[str]:
    return [sys.executable, "-m", "llm_i2i", "serve", "--project-dir", str(ROOT), "--target-path", str(target_dir), "--index", index, *more]  # fmt: skip


@contextmanager
def service(
    target_dir: Path, index: str, env: str = "dev"
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Its address, and the process; it is gone after the block."""
    for package in ("uvicorn", "starlette", "msgspec"):
        pytest.importorskip(package, reason="needs the serve extra")
    command = serve_command(target_dir, index, "--env", env, "--port", "0")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = []
            for line in process.stderr:
                lines.append(line)
                if found := re.search(r"listening on (http://127\.0\.0\.1:\d+)", line):
                    break
            else:
                pytest.fail("".join(lines))
            yield found.group(1), process
        finally:
            process.kill()
