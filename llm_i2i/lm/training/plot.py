"""The loss of a training as a small SVG picture, drawn by hand: two lines, two axes, no package needed."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10
from pathlib import Path
from xml.sax.saxutils import escape

from llm_i2i.lm.trainer import LogRow

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 40, 48
COLOURS = {"training": "#1f5fa8", "validation": "#c4501b"}
STYLE = 'font-family="sans-serif" font-size="12" fill="#333"'


def write_loss_plot(log: Sequence[LogRow], path: Path) -> None:
    """Write training loss (mean since the row before) and validation loss, in nats, against steps."""
    path.write_text(loss_plot(log), encoding="utf-8")


def loss_plot(log: Sequence[LogRow]) -> str:
    """The picture as SVG text; it holds no times, so that equal trainings give equal bytes."""
    lines = {
        "training": [(float(row.step), row.loss) for row in log],
        "validation": [
            (float(row.step), row.validation_loss) for row in log if row.validation_loss is not None
        ],
    }
    values = [loss for points in lines.values() for _, loss in points]
    x_ticks = ticks(0.0, max((row.step for row in log), default=1))
    y_ticks = ticks(min(values, default=0.0), max(values, default=1.0))

    def at(step: float, loss: float) -> tuple[float, float]:
        x = LEFT + (step - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (WIDTH - LEFT - RIGHT)
        y = (
            HEIGHT
            - BOTTOM
            - (loss - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (HEIGHT - TOP - BOTTOM)
        )
        return round(x, 1), round(y, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "step", "middle"),
        f'<text x="16" y="{(HEIGHT - BOTTOM + TOP) / 2}" transform="rotate(-90 16 {(HEIGHT - BOTTOM + TOP) / 2})"'
        f' text-anchor="middle" {STYLE}>loss (nats)</text>',
    ]
    for tick in y_ticks:
        x, y = at(x_ticks[0], tick)
        parts.append(f'<path d="M{x} {y}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(_text(x - 6, y + 4, f"{tick:g}", "end"))
    for tick in x_ticks:
        x, y = at(tick, y_ticks[0])
        parts.append(f'<path d="M{x} {y}v5" stroke="#888"/>')
        parts.append(_text(x, y + 18, f"{tick:g}", "middle"))
    parts.append(f'<path d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}" stroke="#888"/>')
    for number, (name, points) in enumerate((n, p) for n, p in lines.items() if p):
        places = [at(*point) for point in points]
        drawn = " ".join(f"{x},{y}" for x, y in places)
        colour = COLOURS[name]
        parts.append(
            f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
        )
        if len(points) <= 60:
            parts += [f'<circle cx="{x}" cy="{y}" r="2.5" fill="{colour}"/>' for x, y in places]
        parts.append(f'<path d="M{LEFT + 110 * number} 20h18" stroke="{colour}" stroke-width="3"/>')
        parts.append(_text(LEFT + 24 + 110 * number, 24, name, "start"))
    return "\n".join([*parts, "</svg>", ""])


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers from at most `low` to at least `high`."""
    span = (high - low) or abs(high) or 1.0
    raw = span / count
    power = 10.0 ** floor(log10(raw))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(step * number, 10) for number in range(first, max(last, first + 1) + 1)]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" {STYLE}>{escape(text)}</text>'
