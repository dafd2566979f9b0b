"""Figures and Markdown of an experiment, from rows made up here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_i2i.config.experiments import Experiment, Figure
from llm_i2i.errors import LlmI2iError
from llm_i2i.experiment.plots import COLOURS, DASHES, MARKERS, draw_figure
from llm_i2i.experiment.results import Summary
from llm_i2i.experiment.tables import column_title, number
from llm_i2i.experiment.variants import Trial, Trials, Variant

pytest.importorskip("matplotlib")


def summary(
    variant: str, value: float, segment: str = "all", arm: str = "llm_i2i", **more: Any
) -> Summary:
    empty = dict.fromkeys(Summary.__dataclass_fields__)
    given = {
        "experiment": "made_up", "variant": variant, "vars": "{}", "dataset": "toys_and_games", "protocol": "standard", "recommender": "swing",
        "augmentation": arm, "segment": segment, "split": "test", "metric": "recall", "k": 10, "n_seeds": 1, "value": value, "lower": value - 0.004,
        "upper": value + 0.004,
    }  # fmt: skip
    return Summary(**{**empty, **given, **more})


def made_up(kind: str, x: str | None) -> tuple[Trials, list[Summary]]:
    """Two named variants over three values of alpha."""
    experiment = Experiment(
        segments=["all", "long_tail"], figure=Figure(kind=kind, x=x, x_label="weight")
    )  # type: ignore[arg-type]
    trials, rows = [], []
    for base, level in (("at least", 0.10), ("bin", 0.12)):
        for alpha in (1.0, 2.0, 4.0):
            name = f"{base}, alpha={alpha}"
            variant = Variant(name, base, {"alpha": alpha}, {}, None)
            trials.append(Trial(variant, "toys_and_games", 42, f"e{base}{alpha}", {}))
            rows.append(
                summary(name, level - alpha / 200, published=0.1 if kind == "dots" else None)
            )
            rows.append(summary(name, level / 2 + alpha / 100, "long_tail"))
    return Trials("made_up", experiment, tuple(trials)), rows


@pytest.mark.parametrize(("kind", "x"), [("dots", None), ("lines", "alpha"), ("tradeoff", "alpha")])
def test_figures_name_what_they_show_and_repeat_to_the_byte(
    tmp_path: Path, kind: str, x: str | None
) -> None:
    trials, rows = made_up(kind, x)
    assert draw_figure(trials, rows, tmp_path) == "figure.svg"
    svg = (tmp_path / "figure.svg").read_text()
    for text in ("Recall@10 (share of users)", "at least", "bin", "toys_and_games, standard"):
        assert text in svg
    assert ("as published" in svg) == (kind == "dots")
    assert ("weight" in svg) == (kind != "dots")
    assert (tmp_path / "figure.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    draw_figure(trials, rows, tmp_path)
    assert (tmp_path / "figure.svg").read_text() == svg


def test_references_are_named_without_the_protocol_of_their_section() -> None:
    from llm_i2i.experiment.tables import line_title, reference_title

    row = summary("full, protocol=standard", 0.1, reference="full, protocol=standard: swing/none")
    assert (line_title(row)[0], reference_title(row)) == ("full", "full: swing/none")
    row = summary("protocol=standard", 0.1, reference="protocol=standard: swing/none")
    assert (line_title(row)[0], reference_title(row)) == ("default", "swing/none")


def test_nothing_to_draw(tmp_path: Path) -> None:
    trials, _ = made_up("dots", None)
    assert draw_figure(trials, [summary("a", 3.0, metric="users", k=None)], tmp_path) == ""
    assert not list(tmp_path.iterdir())


def test_lines_want_numbers(tmp_path: Path) -> None:
    trials, _ = made_up("lines", "sampler")
    variant = Variant("a", "", {"sampler": "uniform"}, {}, None)
    one = Trials("made_up", trials.experiment, (Trial(variant, "toys_and_games", 42, "e", {}),))
    with pytest.raises(LlmI2iError, match="is no number"):
        draw_figure(one, [summary("a", 0.1)], tmp_path)


def test_series_differ_without_colour() -> None:
    assert len(set(MARKERS)) == len(set(map(str, DASHES))) == len(set(COLOURS)) == 8


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, ".1234"), (1.0, "1.0000"), (-0.01, "-.0100"), (19412, "19,412"), (12.0, "12"), (None, "-"), (0.0, ".0000")],
)  # fmt: skip
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text
    assert column_title(summary("a", 0.1, "long_tail")) == "R@10 long tail"
