"""The charts of a report, as SVG: Okabe and Ito's colours, another marker and dash for another meaning."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from llm_i2i.config.report import Chart

BLUE, ORANGE = "#0072B2", "#D55E00"
STYLE: dict[str, Any] = {
    "svg.hashsalt": "llm_i2i",  # equal rows give equal bytes
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
}


def drawn(chart: Chart, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """An SVG element; empty without matplotlib. Rows without a number in `x` are left out."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return ""
    named = [dict(zip(columns, row, strict=True)) for row in rows]
    named = [row for row in named if is_number(row[chart.x]) and math.isfinite(row[chart.x])]
    if not named:
        return "<svg></svg>"
    with mpl.rc_context(STYLE):
        tall = 3.6 if chart.kind == "points" else 0.9 + 0.24 * len(named)
        figure = Figure(figsize=(7.2, tall), layout="constrained")
        axes = figure.subplots()
        _draw(axes, chart, named)
        axes.set_xlabel(chart.x.replace("_", " "))
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


def is_number(value: Any) -> bool:
    """Whether a value can be drawn, and stands to the right in a table."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _draw(axes: Any, chart: Chart, rows: Sequence[Mapping[str, Any]]) -> None:
    labels = [str(row[chart.label]) for row in rows]
    values = [float(row[chart.x]) for row in rows]
    if chart.kind == "points":
        heights = [float(row[str(chart.y)]) for row in rows]
        axes.plot(values, heights, "o", color=BLUE)
        named: list[tuple[float, float]] = []
        wide, high = max(values) - min(values) or 1.0, max(heights) - min(heights) or 1.0
        for x, y, label in zip(values, heights, labels, strict=True):
            # A name over another is none; the table has them all.
            if any(abs(x - a) < 0.3 * wide and abs(y - b) < 0.05 * high for a, b in named):
                continue
            named.append((x, y))
            right = x > (min(values) + max(values)) / 2
            axes.annotate(label, (x, y), xytext=(-5 if right else 5, 4), textcoords="offset points", fontsize=7, ha="right" if right else "left")  # fmt: skip
        axes.set_ylabel(str(chart.y).replace("_", " "))
        return
    places = list(range(len(rows)))
    if chart.kind == "bars":
        axes.barh(places, values, color=BLUE, height=0.6)
    else:
        ends = [(float(row[str(chart.lower)]), float(row[str(chart.upper)])) for row in rows]
        for place, value, (low, high) in zip(places, values, ends, strict=True):
            sure = low > 0 or high < 0
            axes.plot([low, high], [place, place], color=BLUE if sure else ORANGE, linewidth=1.6, linestyle="-" if sure else ":")  # fmt: skip
            axes.plot([value], [place], "o" if sure else "s", color=BLUE if sure else ORANGE, markersize=4)  # fmt: skip
        axes.axvline(0, color="#555555", linewidth=0.8)
    axes.set_yticks(places, labels, fontsize=7)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
