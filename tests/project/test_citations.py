"""What comments and pages cite is there: sections of project/docs/method.md, and no note that readers of the repository do not have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
METHOD = ROOT / "project" / "docs" / "method.md"
FOLDERS = ("llm_i2i", "models", "project", "tests", "udfs")
SUFFIXES = (".py", ".sql", ".yml", ".md")
# `method.md 6.1`, `[method.md](method.md) 6.1`, and lists of sections: `method.md 2.6, 2.7`, `method.md 2.4 G3, 7.2`.
CITATION = re.compile(
    r"method\.md[`)]?,? (?:sections? )?(\d+(?:\.\d+)?(?: [A-Z]\d)?(?:(?:, | and )\d+\.\d+)*)"
)
HEADING = re.compile(r"^#+ (\d+(?:\.\d+)?)\.? ", re.MULTILINE)
NOT_SHIPPED = re.compile(r"\b(findings|house-style|architecture|feasibility)\.md")


def files() -> list[Path]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    return sorted(path for path in [*found, *ROOT.glob("*.md")] if path.suffix in SUFFIXES)


def lines() -> Iterator[tuple[str, str]]:
    """Place and text of each line."""
    for path in files():
        text = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(text, 1):
            yield f"{path.relative_to(ROOT)}:{number}", line


def sections_cited(line: str) -> list[str]:
    return [n for match in CITATION.findall(line) for n in re.findall(r"\b\d+(?:\.\d+)?", match)]


def test_a_citation_names_every_section() -> None:
    assert sections_cited("BM25 (method.md 6.2, 6.3); method.md 2.4 G3, 7.2") == ["6.2", "6.3", "2.4", "7.2"]  # fmt: skip
    assert sections_cited("`method.md` 8 and method.md section 5.4") == ["8", "5.4"]
    assert sections_cited("the trap ([method.md](method.md) 5.4)") == ["5.4"]
    assert sections_cited("(method.md: stop if p < .001)") == []


def test_cited_sections_of_the_method_are_there() -> None:
    headings = set(HEADING.findall(METHOD.read_text(encoding="utf-8")))
    assert {"0", "2.7", "6.1"} <= headings
    cited = [(place, section) for place, line in lines() for section in sections_cited(line)]
    assert len({section for _, section in cited}) > 15
    assert [(place, section) for place, section in cited if section not in headings] == []


def test_headings_of_the_method_are_in_order_and_each_once() -> None:
    found = HEADING.findall(METHOD.read_text(encoding="utf-8"))
    numbers = [tuple(map(int, heading.split("."))) for heading in found]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("folder", [*FOLDERS, "."])
def test_nothing_cites_a_note_that_is_not_shipped(folder: str) -> None:
    """Notes that the project was written from; their content is in project/docs/method.md."""
    found = [
        f"{place}: {line.strip()}"
        for place, line in lines()
        if (Path(place).parts[0] == folder or (folder == "." and "/" not in place))
        and NOT_SHIPPED.search(line)
    ]
    assert found == []


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in sorted((ROOT / "project" / "docs").rglob("*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
