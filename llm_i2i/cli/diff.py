"""`llmi2i diff`: how two environments differ, in 80 columns or as JSON."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from llm_i2i.cli.output import plain, render_table

if TYPE_CHECKING:
    from llm_i2i.runner.environments.diff import Difference, TableDifference
    from llm_i2i.runner.environments.index_diff import (
        IndexDifference,
        ListOverlap,
        MetricDifference,
    )
    from llm_i2i.runner.project import Project

WIDTH = 80
COLUMNS = 6  # changed columns named in a line
NAME = 8  # characters of an environment's name over a column
CELL = 24  # characters of a value in a sample


def diff(project: Project, here: str, there: str, output: str, **options: Any) -> None:
    """Compare and print."""
    found = project.diff(here, there, **options)
    if output == "json":
        raw = asdict(found)
        for table, shown in zip(found.tables, raw["tables"], strict=True):
            shown["is_equal"] = table.is_equal
        click.echo(json.dumps(plain(raw), indent=1, ensure_ascii=False))
        return
    for line in diff_lines(found):
        click.echo(line)


def diff_lines(found: Difference) -> Iterator[str]:
    """The text of a difference, a line at a time."""
    here, there = found.here, found.there
    equal = [t for t in found.tables if t.is_equal and not t.note]
    different = [t for t in found.tables if not (t.is_equal and not t.note)]
    yield from _wrapped(
        f"{here} against {there}: ",
        f"{_n(len(different), 'table')} differ{'s' * (len(different) == 1)},"
        f" {len(found.only_here)} only in {here}, {len(found.only_there)} only in {there},"
        f" {len(found.same) + len(equal)} the same.",
    )
    for name, nodes in ((here, found.only_here), (there, found.only_there)):
        if nodes:
            yield from _wrapped(f"only in {name}: ", ", ".join(nodes))
    if equal:
        yield from _wrapped("built again, the same rows: ", ", ".join(t.table for t in equal))
    for table in different:
        yield ""
        yield from _table_lines(table, here, there)


def _n(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'s' * (number != 1)}"


def _wrapped(head: str, text: str, indent: int = 2) -> list[str]:
    return textwrap.wrap(
        head + text, WIDTH, subsequent_indent=" " * indent, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _table_lines(table: TableDifference, here: str, there: str) -> Iterator[str]:
    yield from _wrapped(f"{table.table}", f"  ({table.reason})" if table.reason else "", 4)
    if table.note:
        yield from _wrapped("  note     ", table.note, 11)
    columns = [f"{c} {t} only in {here}" for c, t in table.columns_here]
    columns += [f"{c} {t} only in {there}" for c, t in table.columns_there]
    columns += [f"{c} {t} in {there}, {h} in {here}" for c, h, t in table.types]
    if columns:
        yield from _wrapped("  columns  ", "; ".join(columns), 11)
    rows = f"{table.rows_here:,} in {here}, {table.rows_there:,} in {there}: {table.only_here:,} only in {here}, {table.only_there:,} only in {there}"
    if table.grain:
        rows += f", {table.changed:,} changed"
    yield from _wrapped("  rows     ", rows, 11)
    if table.values:
        ordered = sorted(table.values, key=lambda value: (-value.rows, value.column))
        texts = [
            f"{v.column} in {v.rows:,}"
            + (f" (by up to {_number(v.largest)})" if v.largest is not None else "")
            for v in ordered[:COLUMNS]
        ]
        if len(ordered) > COLUMNS:
            texts.append(f"{len(ordered) - COLUMNS} more columns")
        yield from _wrapped("  changed  ", ", ".join(texts), 11)
    yield from _sample_lines(table, here, there)
    if table.index:
        yield from _index_lines(table.index, here, there)


def _sample_lines(table: TableDifference, here: str, there: str) -> Iterator[str]:
    for kind, name in (("only_here", here), ("only_there", there)):
        rows = table.samples.get(kind, [])
        if rows:
            names = list(rows[0])
            text = render_table(names, [[_short(row[n]) for n in names] for row in rows], WIDTH - 4)
            yield f"  only in {name}, {len(rows)} of {getattr(table, kind):,}:"
            yield from (f"    {line}" for line in text.splitlines()[:-1])
    rows = table.samples.get("changed", [])
    if rows:
        yield f"  changed, {len(rows)} of {table.changed:,} ({there} -> {here}):"
        for row in rows:
            key = ", ".join(str(_short(row[c])) for c in table.grain)
            values = [
                f"{c} {_value(v[0])} -> {_value(v[1])}"
                for c, v in row.items()
                if c not in table.grain
            ]
            yield from _wrapped(f"    {key}: ", ", ".join(values), 6)


def _short(value: Any) -> Any:
    if isinstance(value, (int, float, type(None))):
        return value
    text = str(value).replace("\n", "\\n")
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def _value(value: Any) -> str:
    short = _short(value)
    return _number(short) if isinstance(short, float) else "NULL" if short is None else str(short)


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "?"
    return f"{value:.4g}"


# -- indices -----------------------------------------------------------------------------------------------------------


def _index_lines(index: IndexDifference, here: str, there: str) -> Iterator[str]:
    k = index.ks[-1]
    whole = index.overlap
    texts = [f"overlap@{n} {value:.3f}" for n, value in whole.overlap.items()]
    texts.append(f"rank correlation {_optional(whole.correlation)}")
    yield from _wrapped(
        "  lists    ", f"{', '.join(texts)}, mean over {_n(whole.triggers, 'trigger')} of both", 11
    )
    for cover in index.coverage:
        what = "triggers " if cover.role == "trigger" else f"top {k}".ljust(9)
        tail = ""
        if cover.long_tail_here is not None:
            tail = f" ({cover.long_tail_here:,} and {cover.long_tail_there:,} long-tail)"
        text = f"{_n(cover.here, 'item')} in {here}, {cover.there:,} in {there}{tail}: {cover.n_gained:,} gained"
        text += _examples(cover.gained, cover.n_gained)
        text += f", {cover.n_lost:,} lost{_examples(cover.lost, cover.n_lost)}"
        yield from _wrapped(f"  {what}", text, 11)
    if index.note:
        yield from _wrapped("  note     ", index.note, 11)
    segments = [m for m in index.metrics if not m.segment.startswith("decile")]
    for split in dict.fromkeys(m.split for m in segments):
        yield from _wrapped(
            f"  {split}: {here} - {there}, ", "95% interval of a paired bootstrap over users", 4
        )
        rows = [
            [m.segment, f"{m.metric}@{m.k}", *_compared(m)] for m in segments if m.split == split
        ]
        yield from _aligned(["segment", "metric", *_headings(here, there)], rows, left=2)
    if index.deciles:
        splits = [m.split for m in index.metrics]
        split = "test" if "test" in splits else splits[0] if splits else ""
        recall = f"; recall@{k} by target, {split}" if split else ""
        yield from _wrapped(
            "  by tenths of the items, 1 is the least popular ",
            f"(overlap@{k} and order by trigger{recall})",
            4,
        )
        yield from _aligned(*_decile_table(index, split, k, here, there), left=0)


def _decile_table(
    index: IndexDifference, split: str, k: int, here: str, there: str
) -> tuple[list[str], list[list[str]]]:
    overlaps: Mapping[int, ListOverlap] = {o.decile or 0: o for o in index.deciles}
    recalls = {
        int(m.segment.split()[1]): m
        for m in index.metrics
        if m.segment.startswith("decile") and m.split == split and m.k == k
    }
    rows: list[list[str]] = []
    for decile in sorted({*overlaps, *recalls}):
        lists, recall = overlaps.get(decile), recalls.get(decile)
        row = [str(decile), f"{lists.triggers if lists else 0:,}"]
        row += [f"{lists.overlap[k]:.3f}", _optional(lists.correlation)] if lists else ["", ""]
        if recalls:
            row += _compared(recall) if recall else ["", "", "", "", "0"]
        rows.append(row)
    names = ["tenth", "lists", "overlap", "order"]
    return names + (_headings(here, there) if recalls else []), rows


def _headings(here: str, there: str) -> list[str]:
    return [there[:NAME], here[:NAME], "diff", "interval", "users"]


def _compared(metric: MetricDifference) -> list[str]:
    interval = f"{metric.lower:+.4f} {metric.upper:+.4f}"
    return [f"{metric.there:.4f}", f"{metric.here:.4f}", f"{metric.difference:+.4f}", interval, f"{metric.targets:,}"]  # fmt: skip


def _aligned(names: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """A table, indented, of which all but the first `left` columns are set to the right."""
    widths = [max(len(name), *(len(row[i]) for row in rows)) for i, name in enumerate(names)]

    def set_right(cells: Sequence[str]) -> list[str]:
        return [c if i < left else c.rjust(widths[i]) for i, c in enumerate(cells)]

    text = render_table(set_right(names), [set_right(row) for row in rows], WIDTH - 2)
    return [f"  {line}" for line in text.splitlines()[:-1]]


def _examples(items: Sequence[Any], total: int) -> str:
    if not items:
        return ""
    return (
        f" ({', '.join(str(_short(item)) for item in items)}{' ...' if total > len(items) else ''})"
    )


def _optional(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}"
