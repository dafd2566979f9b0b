"""The exact text of every class of error that the command line has.

Each case spoils a copy of the small project and runs `llmi2i` in this process; what it prints is compared with
`errors/<case>.txt`, paths and times replaced. To write the files anew: `LLMI2I_GOLDEN=write pytest tests/golden`, then read
the difference: each text must say what is wrong, where, what was found there, and how to mend it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest

from llm_i2i.runner.project import Project
from tests.golden.cases import CASES, Case
from tests.project.conftest import ShopProject

GOLDEN = Path(__file__).parent / "errors"
WRITE = os.environ.get("LLMI2I_GOLDEN") == "write"
WIDTH = 80


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small project, built once."""
    shop = ShopProject(tmp_path_factory.mktemp("golden") / "shop")
    assert Project.load(shop.dir).build().success
    return shop.dir


@pytest.fixture
def shop(template: Path, tmp_path: Path) -> ShopProject:
    copied = ShopProject.__new__(ShopProject)
    copied.dir = tmp_path / "shop"
    shutil.copytree(template, copied.dir, symlinks=True)
    Project.load(copied.dir).environment.publish({})  # the catalogue names files by their full path
    return copied


def run_main(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """The entry point of the command, in this process; its exit code."""
    from llm_i2i.cli.main import main

    monkeypatch.setattr(sys, "argv", ["llmi2i", *arguments])
    pipe = signal.getsignal(signal.SIGPIPE)
    try:
        main()
    except SystemExit as done:
        return int(done.code or 0)
    finally:
        signal.signal(signal.SIGPIPE, pipe)
    return 0


def plain(text: str, shop: ShopProject) -> str:
    """What is printed, without what differs from run to run."""
    for path in {str(shop.dir.resolve()), str(shop.dir)}:
        text = text.replace(path, "SHOP")
    text = text.replace(str(shop.dir.parent), "TMP")
    text = re.sub(r"^\d\d:\d\d:\d\d", "00:00:00", text, flags=re.MULTILINE)
    text = re.sub(r"\d+\.\d\ds\b", "0.00s", text)
    text = re.sub(r"\b[0-9a-f]{16}\b", "0123456789abcdef", text)
    text = re.sub(r"\(PID \d+\)|pid \d+|PID \d+", "PID 1", text)
    text = re.sub(r"/\S*/python[\d.]*", "PYTHON", text)
    kept = [line for line in text.splitlines() if not re.match(r"00:00:00 .*( START | OK | REUSED |Running|Found|UDF calls|Done in|tests: )", line)]  # fmt: skip
    return "\n".join(line.rstrip() for line in kept).strip() + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_error(
    case: Case,
    shop: ShopProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.chdir(shop.dir)
    undo = case.spoil(shop, monkeypatch) if case.spoil else None
    capsys.readouterr()
    try:
        code = run_main(case.arguments, monkeypatch)
    finally:
        if undo:
            undo()
    captured = capsys.readouterr()
    printed = plain(captured.err, shop)
    assert code == case.exit_code, printed
    assert captured.out == ""
    command = " ".join(f"'{a}'" if " " in a else a for a in case.arguments)
    text = f"# {case.title}\n$ llmi2i {command}\n# exit {code}\n{printed}"
    path = GOLDEN / f"{case.name}.txt"
    if WRITE:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_every_file_has_its_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {case.name for case in CASES}


def test_every_text_says_what_where_and_how_to_mend_it() -> None:
    for path in sorted(GOLDEN.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        assert "Traceback" not in text
        assert re.search(r"^(error|Error): \S", text, re.MULTILINE), path.name
        if "\nerror: " in text:
            assert "  fix:   " in text, path.name
