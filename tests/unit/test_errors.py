"""How an error is said: in lines that a terminal can take, and that somebody can read."""

from __future__ import annotations

import pytest

from llm_i2i.errors import LlmI2iError, shown_text


def test_up_to_four_lines() -> None:
    error = LlmI2iError("It broke.", where="a.sql:1", found="this\nand that", fix="mend it")
    assert str(error).split("\n") == [
        "error: It broke.",
        "  at:    a.sql:1",
        "  found: this",
        "         and that",
        "  fix:   mend it",
    ]
    assert str(LlmI2iError("It broke.")) == "error: It broke."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 鮨 👩‍👩‍👧 \xa0", "plain é 鮨 👩‍👩‍👧 \xa0"),
        ("\x1b[31m\x07\r\x00", "\\x1b[31m\\x07\\r\\x00"),
        ("a\nb\tc", "a\nb\\tc"),
        ("\ud800", "\\ud800"),
        ("\u202e\u2028\x9b", "\\u202e\\u2028\\x9b"),
    ],
)
def test_text_that_does_not_steer_a_terminal(text: str, shown: str) -> None:
    assert shown_text(text) == shown
    assert shown in str(LlmI2iError("x", found=text)).replace("\n         ", "\n")


def test_what_quotes_something_huge_is_cut() -> None:
    error = LlmI2iError("x" * 5_000, where="y" * 5_000, found="z" * 50_000, fix="w")
    assert error.what.endswith("x... (5,000 characters)")
    assert len(str(error)) < 25_000
    assert LlmI2iError("x" * 900).what == "x" * 900
