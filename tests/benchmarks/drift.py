"""Ratios of now beside the committed ones: what changed, whether to believe it, and what the records say about why."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.ratios import TOLERANCE, Benchmark, Ratio, Run, Side

FAILING = ("worse", "aim missed")
SHOWN = 10  # commits
Commits = Callable[[Run, Sequence[str]], list[str]]


@dataclass(frozen=True)
class Drift:
    """One figure then and now.

    Attributes:
        verdict: same, better, worse, aim missed, new, not measured, not comparable; `worse under load` and
            `aim missed under load` are not believed and fail nothing.
        why: Sentences that the records support.
    """

    benchmark: str
    name: str
    before: Ratio | None
    now: Ratio | None
    verdict: str
    why: tuple[str, ...] = ()

    @property
    def fails(self) -> bool:
        return self.verdict in FAILING

    @property
    def change(self) -> float | None:
        """Now as a share of before, less 1."""
        return self.now.value / self.before.value - 1 if self.now and self.before else None


def compare(
    committed: Mapping[str, Benchmark],
    measured: Mapping[str, Benchmark],
    asked: Mapping[str, str],
    commits: Commits,
) -> list[Drift]:
    """Every figure of the benchmarks that were asked for.

    Args:
        asked: pytest's ids of the tests that were asked for, with how they ended (`passed`, `failed`, `skipped: needs wrk`).
        commits: Commits since a run that touch some paths.
    """
    found = []
    for name in sorted({*committed, *measured}):
        before, now = committed.get(name), measured.get(name)
        if now is None and (before is None or before.test not in asked):
            continue
        old = {ratio.name: ratio for ratio in before.ratios} if before else {}
        new = {ratio.name: ratio for ratio in now.ratios} if now else {}
        for figure in dict.fromkeys([*new, *old]):
            found.append(_drift(name, before, now, old.get(figure), new.get(figure), asked, commits))  # fmt: skip
    return found


def _drift(
    name: str,
    then: Benchmark | None,
    today: Benchmark | None,
    before: Ratio | None,
    now: Ratio | None,
    asked: Mapping[str, str],
    commits: Commits,
) -> Drift:
    if now is None:
        assert before is not None
        assert then is not None
        how = asked.get(then.test, "was not run")
        how = "passed without it" if how == "passed" else how
        return Drift(name, before.name, before, None, "not measured", (f"its test {how}",))
    assert today is not None
    if before is None or then is None:
        why = () if now.meets_aim else (_aim(now),)
        verdict = "new" if now.meets_aim else _missed(before, today.run)
        return Drift(name, now.name, None, now, verdict, (*why, *_busy(today.run, verdict)))
    verdict = _verdict(before, then.run, now, today.run)
    why = () if now.meets_aim else (_aim(now),)
    if verdict not in ("same", "not comparable") and beyond_noise(before, now):
        why += explain(before, then.run, now, today.run, lambda: commits(then.run, today.paths))
    elif verdict == "not comparable":
        why += tuple(_places(then.run, today.run))
    return Drift(name, now.name, before, now, verdict, (*why, *_busy(today.run, verdict)))


def _verdict(before: Ratio, then: Run, now: Ratio, today: Run) -> str:
    if not now.meets_aim:
        return _missed(before, today)
    if now.reference is None and then.place != today.place:
        return "not comparable"
    if not beyond_noise(before, now):
        return "same"
    if worsening(before, now) < 1:
        return "better"
    return "worse under load" if today.quiet is False else "worse"


def _missed(before: Ratio | None, today: Run) -> str:
    """A miss under load is believed only where it was missed before."""
    known = before is not None and not before.meets_aim
    return "aim missed under load" if today.quiet is False and not known else "aim missed"


def worsening(before: Ratio, now: Ratio) -> float:
    """Above 1: it got worse by so much."""
    change = now.value / before.value
    return change if now.better == "lower" else 1 / change


def beyond_noise(before: Ratio, now: Ratio) -> bool:
    """Whether a change is larger than the tolerance and than the repeats of all sides spread, either way."""
    limit = max(now.tolerance, math.hypot(*(s.spread for s in _sides(before, now))))
    change = now.value / before.value
    return max(change, 1 / change) > 1 + limit


def _sides(*ratios: Ratio) -> list[Side]:
    return [side for r in ratios for side in (r.ours, r.reference) if side is not None]


def explain(
    before: Ratio, then: Run, now: Ratio, today: Run, commits: Callable[[], list[str]]
) -> tuple[str, ...]:
    """What the records say about a change: the machine, versions, which side moved, and our commits where ours did."""
    why = [*_places(then, today), *_versions(then, today)]
    if then.quiet is False:
        why.append(f"the committed figure was taken {_load(then)}")
    elif then.quiet is None:
        why.append("how busy the machine was for the committed figure is not recorded" + (f": {then.note}" if then.note else ""))  # fmt: skip
    sides, ours_moved = _moved(before, now)
    why.append(sides)
    if then.place != today.place:
        why.append("it may be another machine or Python: seconds alone do not tell which side moved")  # fmt: skip
    if ours_moved or then.place != today.place:
        why.append(_ours(then, commits()))
    elif not _versions(then, today) and then.place == today.place:
        why.append("ours did not change: what moved is the reference; measure again before believing it")  # fmt: skip
    return tuple(why)


def _moved(before: Ratio, now: Ratio) -> tuple[str, bool]:
    """Which side moved, in words, and whether ours did."""
    ours, what = _step(before.ours, now.ours)
    if before.reference is None or now.reference is None:
        return f"{what}; no reference stands beside it, so a slower machine shows here as well", True  # fmt: skip
    theirs, other = _step(before.reference, now.reference)
    if before.reference.what != now.reference.what:
        return f"{what}; the reference was {before.reference.what}, now it is {now.reference.what}", ours != 0  # fmt: skip
    text = f"{what}; {other}"
    if ours and ours == theirs:
        text += "; both moved the same way, as with a slower or faster machine"
    return text, ours != 0


def _step(before: Side, now: Side) -> tuple[int, str]:
    """-1, 0 or 1 for fell, stayed, rose (by half the tolerance or the spread of repeats), and the words."""
    change = now.value / before.value
    limit = 1 + max(TOLERANCE / 2, math.hypot(before.spread, now.spread))
    way = 1 if change > limit else -1 if 1 / change > limit else 0
    word = {1: "rose", 0: "stayed", -1: "fell"}[way]
    return way, f"{now.what} {word} ({figure(before.value)} -> {figure(now.value)} {now.unit}, {change - 1:+.0%})"  # fmt: skip


def _places(then: Run, today: Run) -> list[str]:
    pairs = list(zip(("machine", "cores", "Python"), then.place, today.place, strict=True))
    unknown = [what for what, old, _ in pairs if not old]
    changed = [f"{what}: {old} -> {new}" for what, old, new in pairs if old and old != new]
    return changed + ([f"not recorded with the committed figure: {', '.join(unknown)}"] if unknown else [])  # fmt: skip


def _versions(then: Run, today: Run) -> list[str]:
    names = sorted({*then.libraries, *today.libraries})
    return [
        f"version of {name}: {then.libraries.get(name, 'none')} -> {today.libraries.get(name, 'none')}"
        for name in names
        if then.libraries.get(name) != today.libraries.get(name)
    ]


def _ours(then: Run, commits: list[str]) -> str:
    since = f"since {then.commit[:7] or then.date}"
    if not commits:
        return f"no commit {since} touches what it measures: look at versions and the machine"
    rest = [f"and {len(commits) - SHOWN} more"] if len(commits) > SHOWN else []
    return "\n    ".join([f"ours changed: look at these {since}:", *commits[:SHOWN], *rest])


def _aim(now: Ratio) -> str:
    word = "at most" if now.better == "lower" else "at least"
    return f"the aim is {word} {figure(now.aim or 0)}{' ' + now.unit if now.unit else ''}"


def _busy(today: Run, verdict: str) -> tuple[str, ...]:
    if today.quiet or verdict in ("same", "new", "not comparable"):
        return ()
    if today.quiet is None:
        return ("how busy the machine was is not known here",)
    return (f"taken {_load(today)}: do not believe it before a quiet run says the same",)


def _load(run: Run) -> str:
    load = f" (load {run.load[0]:g} at the start, {run.load[1]:g} at the end)" if run.load else ""
    others = "an unknown share" if run.others is None else f"{run.others:g}"
    return f"while others used {others} of {run.cores} cores{load}"


def figure(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(drifts: Sequence[Drift], runs: Mapping[str, Run]) -> str:
    """Benchmark, figure, committed, now, change, aim, verdict; the explanations and how the runs went below."""
    head = ("benchmark", "figure", "committed", "now", "change", "aim", "verdict")
    rows = [head, *(_row(d) for d in drifts)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for drift in drifts:
        alike.setdefault((drift.benchmark, drift.verdict, drift.why), []).append(drift.name)
    for (benchmark, verdict, why), names in alike.items():
        if why:
            lines += ["", f"{benchmark}: {verdict}: {'; '.join(names)}"]
            lines += [f"  - {sentence}" for sentence in why]
    lines.append("")
    for name, run in runs.items():
        how = {True: "quiet", False: "NOT QUIET: not to be committed", None: ""}[run.quiet]
        lines.append(f"{name}: {run.seconds or 0:.0f} s, {_load(run)} {how}".rstrip())
    fails = [d for d in drifts if d.fails]
    lines.append(", ".join(f"{sum(d.verdict == v for d in fails)} {v}" for v in FAILING))
    return "\n".join(lines)


def _row(drift: Drift) -> tuple[str, ...]:
    some = drift.now or drift.before
    assert some is not None
    aim = "" if some.aim is None else f"{'<=' if some.better == 'lower' else '>='} {figure(some.aim)}"  # fmt: skip
    return (
        drift.benchmark,
        f"{drift.name}{', ' + some.unit if some.unit else ''}",
        figure(drift.before.value) if drift.before else "",
        figure(drift.now.value) if drift.now else "",
        f"{drift.change:+.0%}" if drift.change is not None else "",
        aim,
        drift.verdict,
    )
