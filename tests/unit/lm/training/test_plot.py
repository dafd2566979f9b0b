from __future__ import annotations

from xml.etree import ElementTree

import pytest

from llm_i2i.lm.trainer import LogRow
from llm_i2i.lm.training.plot import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, loss_plot, ticks

SVG = "{http://www.w3.org/2000/svg}"


def points_of(line: ElementTree.Element) -> list[tuple[float, float]]:
    return [tuple(map(float, p.split(","))) for p in line.get("points", "").split()]  # type: ignore[misc]


def test_lines_stay_inside_the_axes_and_go_the_right_way():
    log = [LogRow(s, s / 10, 8.0 / s, 1e-3, 1.0, 5.0 if s == 10 else None) for s in range(1, 21)]
    picture = ElementTree.fromstring(loss_plot(log))
    training, validation = (points_of(line) for line in picture.iter(f"{SVG}polyline"))
    assert len(training) == 20
    assert len(validation) == 1
    assert all(LEFT <= x <= WIDTH - RIGHT and TOP <= y <= HEIGHT - BOTTOM for x, y in training)
    assert training == sorted(training)  # later is to the right, and a lower loss is further down
    words = {text.text for text in picture.iter(f"{SVG}text")}
    assert {"step", "loss (nats)", "training", "validation", "0", "20", "8"} <= words


def test_no_times_in_the_picture():
    fast, slow = ([LogRow(1, 1.0, 2.0, 1e-3, seconds)] for seconds in (1.0, 99.0))
    assert loss_plot(fast) == loss_plot(slow)


@pytest.mark.parametrize(
    "log", [[], [LogRow(1, 1.0, 0.0, 1e-3, 0.0)], [LogRow(3, 1.0, 2.5, 1e-3, 0.0)] * 2]
)
def test_few_rows(log: list[LogRow]):
    ElementTree.fromstring(loss_plot(log))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 20, [0, 5, 10, 15, 20]),
        (2.31, 6.9, [2, 3, 4, 5, 6, 7]),
        (0.0301, 0.0305, [0.0301, 0.0302, 0.0303, 0.0304, 0.0305]),
        (3, 3, [3, 4]),
    ],
)
def test_round_ticks(low: float, high: float, expected: list[float]):
    assert ticks(low, high) == pytest.approx(expected)
