"""An experiment's Markdown: a table a dataset and protocol, the comparisons, and what was published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llm_i2i.experiment.results import Summary
from llm_i2i.experiment.run import ExperimentPlan, Failure

METRIC_WORDS = {"recall": "R", "ndcg": "N"}
SEGMENT_WORDS = {
    "all": "",
    "long_tail": " long tail",
    "other": " other",
    "new_users": " new users",
    "new_items": " new items",
    "all_without_near": " without near",
    "long_tail_without_near": " long tail without near",
}


def column_title(row: Summary) -> str:
    """`R@10 long tail`, or the name of a measure."""
    if row.k is None:
        return row.metric.replace("_", " ")
    return f"{METRIC_WORDS.get(row.metric, row.metric)}@{row.k}{SEGMENT_WORDS.get(row.segment, ' ' + row.segment)}"


def line_title(row: Summary) -> tuple[str, str]:
    """Variant (less the protocol, which the section says) and arm of a row."""
    return (
        _without_protocol(row.variant, row) or "default",
        f"{row.recommender}, {row.augmentation}" if row.recommender is not None else "",
    )


def _without_protocol(text: str, row: Summary) -> str:
    part = f"protocol={row.protocol}"
    return text.replace(f", {part}", "").replace(part, "").removeprefix(", ").removeprefix(": ")


def count(number: int, noun: str) -> str:
    """`1 environment`, `12 environments`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def number(value: float | None, *, signed: bool = False) -> str:
    """`.1234`, `1.0000`, `+.0109`; whole numbers from 100 on with commas; `-` for none."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"
    if value == round(value) and abs(value) > 1:
        return f"{value:.0f}"
    text = f"{abs(value):.4f}"
    text = text[1:] if text.startswith("0") else text
    return ("-" if value < 0 else "+" if signed else "") + text


def markdown(
    plan: ExperimentPlan, summary: Sequence[Summary], failures: Sequence[Failure], figure: str = ""
) -> str:
    """The whole page. `figure`: file name of the picture beside it."""
    experiment = plan.trials.experiment
    parts = [
        f"# {plan.trials.name}\n",
        experiment.description.strip() + "\n" if experiment.description else "",
    ]
    parts.append(_how(plan, summary))
    if failures:
        parts.append(
            "**Failed, and missing below:**\n\n"
            + "".join(f"- {f.trial.title}: {f.reason}\n" for f in failures)
        )
    if figure:
        parts.append(f"![{plan.trials.name}]({figure})\n")
    for dataset, protocol in dict.fromkeys((r.dataset, r.protocol) for r in summary):
        rows = [r for r in summary if (r.dataset, r.protocol) == (dataset, protocol)]
        parts += _section(f"{dataset}, protocol `{protocol}`" if protocol else dataset, rows)
    return "\n".join(part for part in parts if part)


def _how(plan: ExperimentPlan, summary: Sequence[Summary]) -> str:
    trials = plan.shown
    seeds = ", ".join(map(str, dict.fromkeys(t.seed for t in trials)))
    environments = count(len(plan.environments), "environment")
    text = f"Split `{plan.trials.experiment.split}`; seed{'s' if ',' in seeds else ''} {seeds}; {environments}."
    if any(r.n_seeds > 1 for r in summary):
        text += " Values are means over seeds, smallest and largest in the second table."
    if any(r.difference_lower is not None for r in summary):
        text += " Differences: 95% interval in brackets (bootstrap over users, paired), then the relative change."
    if any(r.k is None and r.lower is not None for r in summary):
        text += " In brackets: the interval."
    if any(r.published is not None for r in summary):
        known_as = plan.trials.experiment.published_as
        text += f" In italics: as published{f', on {known_as.dataset}' if known_as else ''}."
    return text + "\n"


def _section(title: str, rows: Sequence[Summary]) -> Iterator[str]:
    yield f"## {title}\n"
    ranking = [r for r in rows if r.k is not None]
    measures = [r for r in rows if r.k is None]
    if ranking:
        yield _table(ranking, _value_cell)
    if measures:
        yield "Of the whole environment of a variant, whichever arm is reported:\n"
        yield _table(measures, _value_cell)
    if any(r.n_seeds > 1 for r in rows):
        yield "Smallest and largest over the seeds:\n"
        yield _table(ranking or measures, lambda r: f"{number(r.min)} to {number(r.max)}")
    compared = [r for r in ranking if r.difference is not None and not _is_the_same(r)]
    if compared:
        references = list(dict.fromkeys(reference_title(r) for r in compared))
        yield f"Less the reference, {references[0] if len(references) == 1 else 'given in each line'}:\n"
        yield _table(compared, _difference_cell, with_reference=len(references) > 1)


def _is_the_same(row: Summary) -> bool:
    """An arm that what varies does not touch: the same ranks, user by user."""
    return row.difference == row.difference_lower == row.difference_upper == 0


def reference_title(row: Summary) -> str:
    """What a row is compared with, less the protocol."""
    return _without_protocol(str(row.reference), row)


def _value_cell(row: Summary) -> str:
    if row.k is None and row.value == 0:
        return "0"
    # ranking metrics have too many columns for theirs: the results table holds it, and differences show it.
    has_interval = row.k is None and row.lower is not None
    interval = f" ({number(row.lower)}, {number(row.upper)})" if has_interval else ""
    published = f" *{number(row.published)}*" if row.published is not None else ""
    return number(row.value) + interval + published


def _difference_cell(row: Summary) -> str:
    interval = f" ({number(row.difference_lower, signed=True)}, {number(row.difference_upper, signed=True)})"
    gain = f" {row.gain:+.1%}" if row.gain is not None else ""
    published = f" *{row.published_gain:+.1%}*" if row.published_gain is not None else ""
    return (
        number(row.difference, signed=True)
        + (interval if row.difference_lower is not None else "")
        + gain
        + published
    )


def _table(rows: Sequence[Summary], cell: object, *, with_reference: bool = False) -> str:
    assert callable(cell)
    columns = list(dict.fromkeys(column_title(r) for r in rows))
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        title: tuple[str, ...] = (
            (*line_title(row), reference_title(row)) if with_reference else line_title(row)
        )
        lines.setdefault(title, {})[column_title(row)] = cell(row)
    heads = ["variant", "arm", *(["less"] if with_reference else [])]
    used = [i for i in range(len(heads)) if any(title[i] for title in lines)]
    table = [
        "| " + " | ".join([heads[i] for i in used] + columns) + " |",
        "|" + " --- |" * len(used) + " ---: |" * len(columns),
    ]
    for title, cells in lines.items():
        table.append(
            "| "
            + " | ".join([title[i] for i in used] + [cells.get(c, "-") for c in columns])
            + " |"
        )
    return "\n".join(table) + "\n"
