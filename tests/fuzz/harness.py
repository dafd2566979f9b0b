"""What all fuzz targets share: the check of one input, the strategies for spoilt texts, the count."""

from __future__ import annotations

import os
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import click
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from llm_i2i.errors import LlmI2iError

INPUTS: Counter[str] = Counter()  # of this session, by target
TRACEBACKS: Counter[str] = Counter()
SCALE = float(os.environ.get("LLMI2I_FUZZ_SCALE", "1"))  # of the long profile


def profiles(*, short: int, long: int) -> pytest.MarkDecorator:
    """Run a test with a few inputs, the same each time, and under `make test-fuzz` with many new ones."""
    return pytest.mark.parametrize(
        "inputs",
        [
            pytest.param(short, id="short"),
            pytest.param(-round(long * SCALE), id="long", marks=pytest.mark.fuzz),
        ],
    )


def fuzz(
    target: str, inputs: int, strategy: st.SearchStrategy[Any], call: Callable[[Any], Any]
) -> None:
    """Give `call` many inputs: each must be answered, or refused with an error of ours.

    Args:
        inputs: As many as this; where negative, as many as its absolute, and other ones each time.

    Raises:
        AssertionError: An input led to somebody else's exception; hypothesis shows the smallest it found.
    """

    @settings(
        max_examples=abs(inputs), derandomize=inputs > 0, database=None, deadline=None,
        suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate, Phase.shrink),
        print_blob=False, report_multiple_bugs=False,
    )  # fmt: skip
    @given(strategy)
    def run(value: Any) -> None:
        INPUTS[target] += 1
        check(lambda: call(value))

    try:
        run()
    except BaseException:
        TRACEBACKS[target] += 1
        raise


def check(call: Callable[[], Any]) -> Any:
    """The answer, or the error of ours, whose text must say something.

    Raises:
        AssertionError: It raised something else.
    """
    try:
        return call()
    except LlmI2iError as error:
        refusal = error
    except click.ClickException as error:
        return error
    except (AssertionError, KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:  # SystemExit among them
        lines = "".join(traceback.format_exception(error)[-12:])
        raise AssertionError(f"{type(error).__name__}: {error}\n{lines}") from None
    text = refusal.render()
    text.encode()
    assert refusal.what.strip(), "an error that says nothing"
    assert "Traceback" not in text
    assert len(refusal.what) < 5000, "an error that nobody reads"
    return refusal


# -- strategies --------------------------------------------------------------------------------------------------------

NASTY = [
    "", " ", "\x00", "\x01", "\x1b[31m", "\x7f", "\x85", "\u2028", "\ufeff", "\u202e", "\ufffd", "é", "鮨", "𝕏", "👩‍👩‍👧", "İ", "ß",
    "'", '"', "''", "`", "\\", "\\'", "/", "../", "../../etc/passwd", "/etc/passwd", "~", "$HOME", "%s", "{0.__class__}",
    ";", "--", "/*", "*/", "{{", "}}", "{%", "%}", "{#", "#}", "{{ ''.__class__ }}", "{% raw %}", "\n", "\r\n", "\t", ": ", "- ", "#", "? ",
    "&a ", "*a", "<<: *a", "!!python/object/apply:os.system [id]", "!!binary x", "|\n", ">-\n", "[", "]", "{", "}", "(", ")", ",", "@", "+", "*", "=", "<", ">",
    "null", "~", "true", "yes", "NO", "0", "-0", "1e999", "-1e-999", ".nan", ".inf", "nan", "NaN", "0x1F", "0o17", "1_000", "12:30", "2024-01-31",
    "9" * 40, "9223372036854775808", "-9223372036854775809", "1.7976931348623157e+309", "a" * 3000, "(" * 200, "[" * 200, "select", "drop table events", "name", "ref", "config",
]  # fmt: skip
UTF8 = st.characters(codec="utf-8")  # all but lone surrogates
texts = st.one_of(
    st.sampled_from(NASTY), st.text(UTF8, max_size=30), st.text(UTF8, min_size=1, max_size=3)
)
arguments = st.one_of(
    texts, st.text(max_size=20)
)  # what a command line can hold: lone surrogates, too
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    texts,
    st.just(10**400),
    st.binary(max_size=5),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(texts, st.integers()), inner, max_size=4),
    ),
    max_leaves=8,
)


@st.composite
def spoilt(draw: st.DrawFn, originals: Sequence[str], words: Sequence[str] = ()) -> str:
    """One of some good texts with a few cuts, doublings and insertions."""
    text = draw(st.sampled_from(list(originals)))
    pieces = st.one_of(st.sampled_from([*words, *NASTY]), texts) if words else texts
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 12)))
        match draw(st.integers(0, 4)):
            case 0:
                text = text[:at] + text[end:]
            case 1:
                text = text[:end] + text[at:]
            case 2:
                text = text[:at] + draw(pieces) + text[at:]
            case 3:
                text = text[:at] + draw(pieces) + text[end:]
            case _:
                lines = text.split("\n")
                row = draw(st.integers(0, len(lines) - 1))
                lines.insert(draw(st.integers(0, len(lines))), lines[row])
                text = "\n".join(lines)
    return text
