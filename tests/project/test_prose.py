"""The habits of project/docs/style.md that a machine can check: short sentences, no clipped phrases, readable guides, private words explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "project" / "docs"
LONGEST = 30  # words of a sentence, in the README and the pages one reads first
EASIEST = 55.0  # Flesch's score of a guide must be at least this

# Phrases that a reader has to decode. A number of things "a user" or "an item" lacks its "for each".
CLIPPED = (
    r"\b(?:an?|one) (?:row|word|line|object|product|bucket) an? (?!time\b|whole\b)\w+",
    r"\b(?:one an?|\d[\d.,]* \w+ an?) (?:arm|bucket|event|item|line|prompt|row|seed|step|target|user)\b",
    r"\bwithout your word\b",
    r"\bfails? alone\b",
    r"^Exit 0:",
)
# Words in a sense of the project's own. `confidence`, `target` and the like are those of the field.
PRIVATE = ("arm", "vote", "kept pair", "judge", "distil", "cross-fit", "new user", "augmentation")


def sections() -> dict[str, list[Path]]:
    """The pages of each section of the handbook, as mkdocs.yml has them."""
    named = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    found: dict[str, list[Path]] = {}
    for entry in named:
        ((title, pages),) = entry.items()
        if isinstance(pages, list):
            files = [file for page in pages for file in page.values() if isinstance(file, str)]
            found[title] = [DOCS / file for file in files]
    return found


SECTIONS = sections()
FIRST = [ROOT / "README.md", *SECTIONS["Get started"]]
GUIDES = [*FIRST, *SECTIONS["Guides"]]


def prose(text: str) -> str:
    """A page without code blocks, tables, headings, pictures, addresses and lists of links; code within a sentence is one word."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^(?:\s*\||#|    \S|.* · ).*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"!\[[^]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"[*]", "", re.sub(r"`[^`]*`", "setting", text))


def sentences(text: str) -> list[str]:
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:-|\d+\.) )", prose(text))
    found = [s for block in blocks for s in re.split(r"(?<=[.:;!?])\s+", " ".join(block.split()))]
    return [sentence for sentence in found if re.search(r"[A-Za-z]", sentence)]


def syllables(word: str) -> int:
    """About as many as are spoken: groups of vowels, less a silent e at the end."""
    letters = re.sub(r"[^a-z]", "", word.lower())
    silent = re.search(r"[^l]e$|[^aeiouydt]ed$", letters) is not None
    return max(1, len(re.findall(r"[aeiouy]+", letters)) - silent)


def reading_ease(text: str) -> float:
    """Flesch's score: 100 is easy, 60 plain English, 30 a legal text."""
    found = sentences(text)
    words = [w for sentence in found for w in sentence.split() if re.search(r"\w", w)]
    spoken = sum(map(syllables, words))
    return 206.835 - 1.015 * len(words) / len(found) - 84.6 * spoken / len(words)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_checks_see_what_they_should() -> None:
    text = "# A title\n\nOne `x` [two](three.md)\nfour. Five:\n\n```\ncode\n```\n- six\n- seven\n"
    assert sentences(text) == ["One setting two four.", "Five:", "- six", "- seven"]
    assert [syllables(w) for w in ("table", "made", "graph", "evaluation", "passed")] == [2, 1, 1, 4, 1]  # fmt: skip
    hard = (
        "Consequently, organisational considerations necessitate institutionalised documentation."
    )
    assert reading_ease("The cat sat on the mat. It was warm.") > 100 > 0 > reading_ease(hard)
    for phrase in ("a row an arm", "1,000 users an item", "as words, one a bucket", "it fails alone", "Exit 0: well"):  # fmt: skip
        assert any(re.search(pattern, phrase) for pattern in CLIPPED), phrase
    for phrase in ("a row at a time", "one of a list", "20 rows a second", "the row of a user"):
        assert not any(re.search(pattern, phrase) for pattern in CLIPPED), phrase


@pytest.mark.parametrize("page", FIRST, ids=name)
def test_sentences_are_short(page: Path) -> None:
    found = sentences(page.read_text(encoding="utf-8"))
    assert [s for s in found if len(s.split()) > LONGEST] == []


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_guides_read_easily(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if len(prose(text).split()) >= 100:  # a score of a few sentences says nothing
        assert reading_ease(text) >= EASIEST


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_nothing_is_clipped(page: Path) -> None:
    """Tables count, too; code does not."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    found = [m[0] for pattern in CLIPPED for m in re.finditer(pattern, text, re.MULTILINE)]
    assert found == []


@pytest.mark.parametrize("word", PRIVATE)
def test_the_glossary_explains_private_words(word: str) -> None:
    rows = re.findall(r"^\| ([^|]+) \|", (DOCS / "glossary.md").read_text("utf-8"), re.MULTILINE)
    terms = [term for row in rows for term in row.removeprefix("to ").split(", ")]
    assert word in [term.removeprefix("to ") for term in terms]


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_a_page_with_private_words_links_to_the_glossary(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    used = [word for word in PRIVATE if re.search(rf"\b{word}(?:s|es|d|led)?\b", prose(text))]
    if page.name != "glossary.md" and used:
        assert "glossary.md)" in text, f"uses {', '.join(used)}"
