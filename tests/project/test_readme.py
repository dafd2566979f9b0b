"""The README is short, shows the outcome first, and says nothing that is not so: its code is in the repository, its commands run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from llm_i2i.cli.reference import PAGES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line for kind, block in BLOCKS if not kind for line in block.splitlines() if line.startswith(("llmi2i ", "make "))
]  # fmt: skip


def test_it_is_short_and_begins_with_a_picture() -> None:
    assert len(TEXT.split()) <= 800
    picture = re.search(r"!\[[^]]+\]\(([^)]+)\)", TEXT)
    assert picture is not None
    assert (ROOT / picture[1]).is_file()
    assert picture.start() < TEXT.index("```")


def test_no_sentence_is_long() -> None:
    prose = re.sub(r"^```.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"\]\([^)]*\)", "]", prose)
    lines = [line for line in prose.splitlines() if " · " not in line]
    sentences = [s for line in lines for s in re.split(r"(?<=[.:;!?])\s", line)]
    assert [s for s in sentences if len(s.split()) > 30] == []


def test_its_code_is_that_of_the_repository() -> None:
    ((_, model),) = [block for block in BLOCKS if block[0] == "sql"]
    path = re.search(r"models/[\w/]+\.sql", model)
    assert path is not None
    assert (ROOT / path[0]).read_text(encoding="utf-8").strip() == model.strip()
    ((_, function),) = [block for block in BLOCKS if block[0] == "python"]
    assert function.strip() in (ROOT / "udfs/raw_text.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_make_knows_its_targets(command: str) -> None:
    words = shlex.split(command, comments=True)
    assert not subprocess.run([shutil.which("make") or "make", "-n", *words[1:]], cwd=ROOT, capture_output=True).returncode  # fmt: skip


def test_the_site_has_every_page() -> None:
    """`make docs` names all pages of project/docs and those made from the code, and no other."""
    named = re.findall(r"([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)  # fmt: skip
    docs = ROOT / "project/docs"
    written = [str(p.relative_to(docs)) for p in docs.rglob("*.md")]
    made = [f"reference/{name}" for name in PAGES]
    assert sorted(named) == sorted([*written, *made])
