"""An experiment's figure: dots with intervals, lines over a var, or overall against the long tail.

Okabe and Ito's colours, and a marker and a dash pattern of its own for each series, so that it reads in print and by the colour-blind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from llm_i2i.config.experiments import Figure
from llm_i2i.errors import LlmI2iError
from llm_i2i.experiment.results import Summary
from llm_i2i.experiment.tables import SEGMENT_WORDS, line_title
from llm_i2i.experiment.variants import Trials, Variant
from llm_i2i.store.files import replace_file

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8B7500")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)), (0, (3, 1)))
MOST_BANDS = 3  # more bands than this hide each other: bars then
METRIC_LABEL = {"recall": "Recall@{k} (share of users)", "ndcg": "NDCG@{k} (0 to 1)"}
STYLE: dict[str, Any] = {
    "svg.hashsalt": "llm_i2i",  # equal results give equal bytes
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.fontsize": 8,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Point:
    """A value with its interval; `label` names it where x does not."""

    x: float
    row: Summary
    label: str = ""


def draw_figure(trials: Trials, summary: Sequence[Summary], folder: Path) -> str:
    """Write figure.svg and figure.png; the name of the SVG, empty if there is nothing to draw.

    Raises:
        LlmI2iError: matplotlib is missing.
    """
    figure = trials.experiment.figure or Figure(
        metric=trials.experiment.metrics[0], k=trials.experiment.k[-1]
    )
    rows = [
        r for r in summary
        if r.k is not None and r.metric == figure.metric and (r.k == figure.k or figure.x == "k") and r.value is not None
    ]  # fmt: skip
    if not rows:
        return ""
    try:
        import matplotlib
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise LlmI2iError(
            "figures need matplotlib", found=str(error), fix="pip install 'llm_i2i[plots]'"
        ) from error
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE}):
        canvas = Canvas(layout="constrained")
        draw = {"dots": _draw_dots, "lines": _draw_lines, "tradeoff": _draw_tradeoff}[figure.kind]
        draw(canvas, figure, trials, rows)
        for suffix, options in (("svg", {"metadata": {"Date": None}}), ("png", {"dpi": 200})):
            save = partial(canvas.savefig, format=suffix, **options)
            replace_file(folder / f"figure.{suffix}", save)
    return "figure.svg"


# -- kinds -----------------------------------------------------------------------------------------


def _draw_dots(canvas: Any, figure: Figure, trials: Trials, rows: Sequence[Summary]) -> None:
    """A line for each variant and arm, a panel for each dataset with protocol (down) and segment (across)."""
    sections, segments = _panels(rows)
    counts = [len({line_title(r) for r in rows if _section(r) == s}) for s in sections]
    canvas.set_size_inches(
        min(3.4 + 2.9 * len(segments), 11), 0.9 + sum(0.24 * n + 0.75 for n in counts)
    )
    axes = canvas.subplots(
        len(sections), len(segments), squeeze=False, height_ratios=[n + 1.5 for n in counts]
    )
    for i, section in enumerate(sections):
        titles = list(dict.fromkeys(line_title(r) for r in rows if _section(r) == section))
        kinds = list(dict.fromkeys(r.augmentation for r in rows))
        for j, segment in enumerate(segments):
            axis = axes[i][j]
            for row in (r for r in rows if _section(r) == section and r.segment == segment):
                y = titles.index(line_title(row))
                style = kinds.index(row.augmentation) % len(COLOURS)
                _dot(axis, row.value, y, row, COLOURS[style], MARKERS[style], horizontal=True)
                if row.published is not None:
                    axis.plot(
                        row.published,
                        y,
                        marker="|",
                        color="black",
                        markersize=11,
                        markeredgewidth=1.6,
                        linestyle="",
                    )
            axis.set_ylim(len(titles) - 0.4, -0.6)
            axis.set_yticks(
                range(len(titles)),
                [_line_label(t, titles) for t in titles] if j == 0 else [""] * len(titles),
            )
            axis.set_title(_panel_title(section, segment, sections, segments), loc="left")
            if i == len(sections) - 1:
                axis.set_xlabel(_value_label(figure))
    if any(r.published is not None for r in rows):
        handle = axes[0][0].plot(
            [],
            [],
            marker="|",
            color="black",
            markersize=11,
            markeredgewidth=1.6,
            linestyle="",
            label="as published",
        )
        canvas.legend(handles=handle, loc="outside upper right")


def _draw_lines(canvas: Any, figure: Figure, trials: Trials, rows: Sequence[Summary]) -> None:
    """A line for each series over x, with its interval as a band."""
    sections, segments = _panels(rows)
    canvas.set_size_inches(1.2 + 3.3 * len(segments), 0.9 + 2.7 * len(sections))
    axes = canvas.subplots(len(sections), len(segments), squeeze=False)
    variants = {t.variant.name: t.variant for t in trials.trials}
    names = list(dict.fromkeys(_series(r, variants, figure, rows) for r in rows))
    for i, section in enumerate(sections):
        for j, segment in enumerate(segments):
            axis = axes[i][j]
            chosen = [r for r in rows if _section(r) == section and r.segment == segment]
            lines = list(_lines(chosen, variants, figure, names, rows))
            ticks = sorted({p.x for _, points in lines for p in points})
            for name, points in lines:
                number = names.index(name)
                if len(names) > MOST_BANDS:
                    points = _beside(points, number - (len(names) - 1) / 2, ticks, figure)
                _line(axis, points, name, number, band=len(names) <= MOST_BANDS)
            if figure.log_x:
                axis.set_xscale("log")
            if len(ticks) <= 10:
                axis.set_xticks(ticks, [f"{t:g}" for t in ticks])
                axis.minorticks_off()
            axis.set_title(_panel_title(section, segment, sections, segments), loc="left")
            axis.set_xlabel(figure.x_label or str(figure.x))
            if j == 0:
                axis.set_ylabel(_value_label(figure))
    _legend(canvas, axes[0][0], names)


def _draw_tradeoff(canvas: Any, figure: Figure, trials: Trials, rows: Sequence[Summary]) -> None:
    """Overall against the long tail, a line for each series, its points labelled with x."""
    sections = list(dict.fromkeys(_section(r) for r in rows))
    canvas.set_size_inches(1.6 + 4.0 * len(sections), 3.8)
    axes = canvas.subplots(1, len(sections), squeeze=False)[0]
    variants = {t.variant.name: t.variant for t in trials.trials}
    names = list(dict.fromkeys(_series(r, variants, figure, rows) for r in rows))
    for axis, section in zip(axes, sections, strict=True):
        overall = [r for r in rows if _section(r) == section and r.segment == "all"]
        tail = {
            (r.variant, r.recommender, r.augmentation): r
            for r in rows
            if _section(r) == section and r.segment == "long_tail"
        }
        for name, points in _lines(overall, variants, figure, names, rows):
            number = names.index(name)
            pairs = [
                (p, tail[p.row.variant, p.row.recommender, p.row.augmentation]) for p in points
            ]
            colour = COLOURS[number % len(COLOURS)]
            values = [p.row.value for p, _ in pairs], [t.value for _, t in pairs]
            same = len({(p.row.value, t.value) for p, t in pairs}) == 1
            axis.plot(*values, color=colour, marker=MARKERS[number % len(MARKERS)], linestyle=DASHES[number % len(DASHES)], label=name)  # fmt: skip
            for p, t in pairs[:1] if same else pairs:
                axis.errorbar(
                    p.row.value,
                    t.value,
                    xerr=_error(p.row),
                    yerr=_error(t),
                    color=colour,
                    alpha=0.35,
                    linewidth=0.8,
                )
                if not same:
                    axis.annotate(
                        f"{p.x:g}",
                        (p.row.value, t.value),
                        textcoords="offset points",
                        xytext=(6, 5),
                        color=colour,
                    )
        axis.set_xlabel(f"{_value_label(figure)}, all targets")
        axis.set_ylabel(f"{_value_label(figure)}, long-tail targets")
        axis.set_title(section, loc="left")
    label = figure.x_label or str(figure.x)
    _legend(canvas, axes[0], names, title=f"numbers at the points: {label}")


# -- parts -----------------------------------------------------------------------------------------


def _section(row: Summary) -> str:
    return f"{row.dataset}, {row.protocol}" if row.protocol else row.dataset


def _panels(rows: Sequence[Summary]) -> tuple[list[str], list[str]]:
    return list(dict.fromkeys(map(_section, rows))), list(dict.fromkeys(r.segment for r in rows))


def _panel_title(
    section: str, segment: str, sections: Sequence[str], segments: Sequence[str]
) -> str:
    words = {"all": "all targets", "long_tail": "long-tail targets", "other": "other targets"}
    name = words.get(segment, "targets" + SEGMENT_WORDS.get(segment, " " + segment))
    return f"{section}: {name}"


def _line_label(title: tuple[str, str], titles: Sequence[tuple[str, str]]) -> str:
    """Variant and arm, less what all lines share."""
    variants, arms = {t[0] for t in titles}, {t[1] for t in titles}
    if len(variants) == 1 and len(arms) > 1:
        return title[1]
    return title[0] if len(arms) == 1 else f"{title[0]}: {title[1]}"


def _series(
    row: Summary, variants: Mapping[str, Variant], figure: Figure, rows: Sequence[Summary]
) -> str:
    """What makes a line: the variant without x (and without what the panel says), and the arm."""
    variant = variants[row.variant]
    parts = [variant.base] if variant.base else []
    panelled = {figure.x, "protocol"}
    parts += [f"{var}={value}" for var, value in variant.point.items() if var not in panelled]
    if len({(r.recommender, r.augmentation) for r in rows}) > 1:
        several = len({r.recommender for r in rows}) > 1
        parts.append(f"{row.recommender}, {row.augmentation}" if several else str(row.augmentation))
    return ", ".join(parts) or f"{row.recommender}, {row.augmentation}"


def _lines(
    chosen: Sequence[Summary],
    variants: Mapping[str, Variant],
    figure: Figure,
    names: Sequence[str],
    rows: Sequence[Summary],
) -> Iterator[tuple[str, list[Point]]]:
    """The series of a panel, their points in the order of x."""
    named = sorted(chosen, key=lambda r: names.index(_series(r, variants, figure, rows)))
    for name, group in groupby(named, key=lambda r: _series(r, variants, figure, rows)):
        points = [Point(_x(r, variants, figure), r) for r in group]
        yield name, sorted(points, key=lambda p: p.x)


def _beside(
    points: Sequence[Point], place: float, ticks: Sequence[float], figure: Figure
) -> list[Point]:
    """Points moved a little along x, so that the bars of several series stand beside each other."""
    if figure.log_x:
        step = (ticks[-1] / ticks[0]) ** 0.012
        return [replace(p, x=p.x * step**place) for p in points]
    return [replace(p, x=p.x + 0.012 * place * (ticks[-1] - ticks[0])) for p in points]


def _x(row: Summary, variants: Mapping[str, Variant], figure: Figure) -> float:
    value = row.k if figure.x == "k" else variants[row.variant].point[str(figure.x)]
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise LlmI2iError(
            f"the figure's x '{figure.x}' is no number",
            where=row.variant,
            found=repr(value),
            fix="set kind: dots",
        )
    return float(value)


def _line(axis: Any, points: Sequence[Point], name: str, number: int, *, band: bool) -> None:
    colour = COLOURS[number % len(COLOURS)]
    xs = [p.x for p in points]
    axis.plot(
        xs, [p.row.value for p in points], label=name, color=colour, marker=MARKERS[number % len(MARKERS)], markersize=5,
        linestyle=DASHES[number % len(DASHES)], linewidth=1.5,
    )  # fmt: skip
    if not all(p.row.lower is not None for p in points):
        return
    if band:
        lower, upper = [p.row.lower for p in points], [p.row.upper for p in points]
        axis.fill_between(xs, lower, upper, color=colour, alpha=0.12, linewidth=0)
    else:
        for point in points:
            axis.errorbar(
                point.x,
                point.row.value,
                yerr=_error(point.row),
                color=colour,
                alpha=0.4,
                linewidth=0.9,
            )


def _dot(
    axis: Any,
    x: float | None,
    y: float,
    row: Summary,
    colour: str,
    marker: str,
    *,
    horizontal: bool,
) -> None:
    axis.errorbar(
        x,
        y,
        xerr=_error(row) if horizontal else None,
        color=colour,
        marker=marker,
        markersize=5,
        capsize=2,
        linewidth=1.2,
    )


def _error(row: Summary) -> Any:
    """Distances to the interval's ends, as errorbar wants them; None without an interval."""
    if row.value is None or row.lower is None or row.upper is None:
        return None
    return [[max(row.value - row.lower, 0)], [max(row.upper - row.value, 0)]]


def _value_label(figure: Figure) -> str:
    return METRIC_LABEL[figure.metric].format(k="k" if figure.x == "k" else figure.k)


def _legend(canvas: Any, axis: Any, names: Sequence[str], title: str = "") -> None:
    handles, labels = axis.get_legend_handles_labels()
    columns = 1 if max(map(len, names)) > 40 else min(len(names), 3)
    canvas.legend(handles, labels, loc="outside lower center", ncols=columns, title=title or None)
