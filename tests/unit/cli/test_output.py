"""How a table of results is shown."""

from __future__ import annotations

import pytest

from llm_i2i.cli.output import render_table


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([12.0, 13.0], ["12", "13"]),
        ([1700000000.0, None], ["1700000000", "NULL"]),
        ([1700000000123.0], ["1700000000123"]),
        ([0.25, 6.0], ["0.2500", "6.0000"]),
        ([1700000000.25], ["1700000000.2500"]),
        ([1e300, 0.5], ["1e+300", "0.5000"]),
        ([0.00001], ["1e-05"]),
    ],
)
def test_floating_point_numbers(values: list[float | None], shown: list[str]) -> None:
    lines = render_table(["x"], [[value] for value in values]).splitlines()
    assert [line.strip() for line in lines[2:-1]] == shown
