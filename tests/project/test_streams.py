"""Where a command writes to: a closed stdout, a terminal that lacks letters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.project.conftest import ShopProject

Build = Callable[..., dict[str, str]]
SHOWN = "select 'café' as name, 12.0::double as id"


def ask(shop: ShopProject, shell: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = f'"{sys.executable}" -m llm_i2i query "{SHOWN}" --project-dir "{shop.dir}" {shell}'
    return subprocess.run(["sh", "-c", command], env=os.environ | environment, capture_output=True, check=False)  # fmt: skip


@pytest.mark.parametrize("shell", [">&-", "--output json >&-", "--output csv >&-"])
def test_a_closed_stdout_is_no_defect(shop: ShopProject, build: Build, shell: str) -> None:
    build()
    done = ask(shop, shell)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_without_a_letter_shows_its_number(shop: ShopProject, build: Build) -> None:
    build()
    done = ask(shop, "", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.splitlines()[2] == b"caf\\xe9  12"
