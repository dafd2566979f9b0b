"""SIGKILL at every commit point and at 200 random ones: nothing is lost, nothing half-done is seen, nothing stays behind."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.crash.scenes import SCENES, Contents, Scene, Stage, new_project
from tests.crash.victim import COMMITS

pytestmark = pytest.mark.crash

SEED = 20251221
RANDOM_POINTS = int(os.environ.get("LLMI2I_CRASH_POINTS", "200"))
WORKERS = 2
TWICE = 0.2  # of the random points: the second try is killed, too


@dataclass
class Tally:
    """What became of the points of one scene."""

    scene: Scene
    commits: int = 0
    random: int = 0
    lost: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        return self.commits + self.random


@dataclass(frozen=True)
class Reference:
    """The undisturbed command: its steps and seconds, and what it leaves."""

    kinds: list[str]
    seconds: float
    before: dict[str, Contents]
    after: dict[str, Contents]
    files: set[str]
    calls: int


@pytest.fixture
def stages() -> Iterator[list[Stage]]:
    """Folders to work in: in memory where the system has such a folder, since a kill does not care and a disk is slow."""
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="llmi2i-crash-", dir=place) as folder:
        opened = []
        for number in range(WORKERS):
            (Path(folder) / str(number)).mkdir()
            opened.append(Stage(Path(folder) / str(number)))
        yield opened
        for stage in opened:
            stage.close()


def undisturbed(stage: Stage, scene: Scene) -> Reference:
    """Set the scene, and run the command to its end."""
    new_project(stage)
    scene.prepare(stage)
    stage.keep("base")
    before = stage.everything()
    stage.made_calls()
    done = stage.must(*scene.argv)
    after, calls = stage.everything(), sum(stage.made_calls().values())
    collect(stage)
    return Reference(done["steps"], done["seconds"], before, after, stage.files(), calls)


def collect(stage: Stage) -> None:
    stage.age()
    stage.must("gc", "--yes", "--unfinished")


def points(scene: Scene, reference: Reference, total: int) -> Iterator[dict[str, Any]]:
    """Every commit point, then random steps and moments in turn; some with a second kill."""
    n_commits = sum(kind in COMMITS for kind in reference.kinds)
    yield from ({"commit": n} for n in range(n_commits))
    chance = random.Random(f"{SEED} {scene.name}")
    for number in range(round(total * scene.share / sum(s.share for s in SCENES))):
        if number % 2:
            point: dict[str, Any] = {"step": chance.randrange(len(reference.kinds))}
        else:
            point = {"after": chance.uniform(0.0, reference.seconds)}
        if chance.random() < TWICE:
            point["again"] = chance.randrange(len(reference.kinds))
        yield point


def problems(
    stage: Stage, scene: Scene, point: dict[str, Any], ref: Reference
) -> Iterator[str] | None:
    """Kill the command there and look; None if it had ended before."""
    stage.go_back_to("base")
    stage.made_calls()
    kill = {key: value for key, value in point.items() if key != "again"}
    if stage.run(*scene.argv, **kill)["code"] != -9:
        return None
    return _after_the_kill(stage, scene, point, ref)


def _after_the_kill(
    stage: Stage, scene: Scene, point: dict[str, Any], ref: Reference
) -> Iterator[str]:
    kills = 1
    yield from _torn(stage, ref)
    made, kept = stage.made_calls(), stage.committed_calls()
    if "again" in point:
        kills += stage.run(*scene.argv, step=point["again"])["code"] == -9
        yield from _torn(stage, ref)
    resumed = stage.run(*scene.argv)
    if resumed["code"]:
        yield f"the second run ended with {resumed['code']}: {stage.log.read_text()[-600:]}"
        return
    if stage.everything() != ref.after:
        yield f"another result: {_differ(stage.everything(), ref.after)}"
    again = stage.made_calls()
    if paid_twice := set(again) & set(kept):
        yield f"{len(paid_twice)} committed calls were made again"
    if sum((made + again).values()) > ref.calls + kills * scene.batch:
        yield f"{sum((made + again).values())} calls in place of {ref.calls}"
    collect(stage)
    if stage.everything() != ref.after:
        yield "gc took what is published"
    if orphans := stage.files() - ref.files:
        yield f"gc leaves {', '.join(sorted(orphans)[:6])}"


def _torn(stage: Stage, ref: Reference) -> Iterator[str]:
    """An environment is as it was or as it will be; one that is new to the command may also be absent."""
    seen = stage.everything()
    for name in ref.before.keys() | ref.after.keys() | seen.keys():
        found = seen.get(name, {})
        if found not in (ref.before.get(name, {}), ref.after.get(name, {})):
            yield f"environment {name} is neither: {_differ({name: found}, ref.before)}"


def _differ(found: dict[str, Contents], wanted: dict[str, Contents]) -> str:
    names = found.keys() | wanted.keys()
    return ", ".join(
        f"{name}.{table}"
        for name in sorted(names)
        for table in sorted(found.get(name, {}).keys() | wanted.get(name, {}).keys())
        if found.get(name, {}).get(table) != wanted.get(name, {}).get(table)
    )


def play(stage: Stage, scene: Scene) -> Tally:
    """All points of a scene."""
    for name in ("shop", "base"):
        if (stage.dir / name).exists():
            stage.forget(name)
    reference = undisturbed(stage, scene)
    tally = Tally(scene)
    for point in points(scene, reference, RANDOM_POINTS):
        found = problems(stage, scene, point, reference)
        for _ in range(20):  # a moment at which it had ended: an earlier one
            if found is not None or "after" not in point:
                break
            point["after"] *= 0.8
            found = problems(stage, scene, point, reference)
        if found is None:
            continue
        if "commit" in point:
            tally.commits += 1
        else:
            tally.random += 1
        told = [f"{scene.name} {point}: {problem}" for problem in found]
        tally.lost += bool(told)
        tally.problems += told
    return tally


def test_every_kill_is_survived(stages: list[Stage], capsys: pytest.CaptureFixture[str]) -> None:
    todo = list(enumerate(SCENES))
    tallies: dict[int, Tally] = {}

    def work(stage: Stage) -> None:
        while todo:
            number, scene = todo.pop(0)
            tallies[number] = play(stage, scene)

    with ThreadPoolExecutor(len(stages)) as pool:
        list(pool.map(work, stages))
    found = [tallies[number] for number in sorted(tallies)]
    with capsys.disabled():
        print(
            f"\n\n{'command':<30}{'commit points':>15}{'random points':>15}{'survived':>10}{'lost':>6}"
        )
        for t in found:
            survived = t.tried - t.lost
            print(f"{t.scene.name:<30}{t.commits:>15}{t.random:>15}{survived:>10}{t.lost:>6}")
        tried, lost = sum(t.tried for t in found), sum(t.lost for t in found)
        print(f"tried = {tried}, survived = {tried - lost}, lost = {lost}")
    assert sum(t.random for t in found) >= RANDOM_POINTS * 0.9
    assert not [problem for t in found for problem in t.problems]
