"""Commands that are killed, each on a small project in the state that gives it work."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from tests.project.conftest import ShopProject

VICTIM = Path(__file__).with_name("victim.py")
Contents = dict[str, str]  # table -> hash of its rows


class Stage:
    """A folder with the project, always at the same place, and the process that runs commands on it."""

    def __init__(self, folder: Path) -> None:
        self.dir = folder
        self.log = folder / "log.txt"
        self._victims = subprocess.Popen(
            [sys.executable, str(VICTIM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip

    @property
    def shop(self) -> Path:
        return self.dir / "shop"

    @property
    def target(self) -> Path:
        return self.shop / "target"

    def run(self, *argv: str, **kill: float) -> dict[str, Any]:
        """One command, killed if said so; its exit code and steps, and how long it took."""
        self.log.unlink(missing_ok=True)
        request = {"argv": [*argv, "--project-dir", str(self.shop)], **kill}
        started = time.monotonic()
        assert self._victims.stdin is not None
        assert self._victims.stdout is not None
        self._victims.stdin.write(json.dumps({**request, "log": str(self.log)}) + "\n")
        self._victims.stdin.flush()
        answer: dict[str, Any] = json.loads(self._victims.stdout.readline())
        return {**answer, "seconds": time.monotonic() - started}

    def must(self, *argv: str) -> dict[str, Any]:
        """One command that has to end well."""
        done = self.run(*argv)
        assert done["code"] == 0, f"llmi2i {' '.join(argv)}: {self.log.read_text()}"
        return done

    def keep(self, name: str) -> None:
        """Remember the project as it is."""
        shutil.copytree(self.shop, self.dir / name, symlinks=True)

    def go_back_to(self, name: str) -> None:
        """At the same place: a catalogue holds absolute paths."""
        shutil.rmtree(self.shop, ignore_errors=True)
        shutil.copytree(self.dir / name, self.shop, symlinks=True)

    def forget(self, name: str) -> None:
        shutil.rmtree(self.dir / name)

    def close(self) -> None:
        self._victims.communicate()  # its input ends, and so does it

    # -- looking -------------------------------------------------------------------------------------------------------

    def contents(self, environment: str) -> Contents:
        """Hash of the rows of each table, as a client of the catalogue reads them; empty if nothing is published."""
        catalogue = self.target / f"{environment}.duckdb"
        if not catalogue.exists():
            return {}
        with duckdb.connect(str(catalogue.resolve()), read_only=True) as client:
            names = client.sql("select view_name from duckdb_views() where not internal").fetchall()
            return {
                name: hashlib.sha256(
                    repr(sorted(map(repr, client.sql(f'from "{name}"').fetchall()))).encode()
                ).hexdigest()
                for (name,) in sorted(names)
            }

    def everything(self) -> dict[str, Contents]:
        """Contents of every environment that is published."""
        names = sorted(path.stem for path in self.target.glob("*.duckdb") if path.exists())
        return {name: self.contents(name) for name in names}

    def committed_calls(self) -> Counter[str]:
        """Prompts of the calls whose batch is on disk."""
        segments = sorted(map(str, (self.target / "calls").glob("*/*/[!.]*.parquet")))
        if not segments:
            return Counter()
        with duckdb.connect() as connection:
            rows = connection.sql(f"select arg_0 from read_parquet({segments})").fetchall()
        return Counter(prompt for (prompt,) in rows)

    def made_calls(self) -> Counter[str]:
        """Prompts that the UDF was called with, since the last look."""
        log = self.shop / "calls.log"
        made = Counter(log.read_text().splitlines() if log.exists() else [])
        log.unlink(missing_ok=True)
        return made

    def files(self) -> set[str]:
        """What lies in the target folder; names that differ from run to run are made equal."""
        found = set()
        for path in self.target.rglob("*"):
            name = path.relative_to(self.target).as_posix()
            name = re.sub(r"^(calls/.*/)[0-9a-f]{32,64}\.parquet$", r"\1SEGMENT", name)
            name = re.sub(r"^(envs/[^/]+/)\d{6}", r"\1STATE", name)
            found.add(name)
        return found

    def age(self) -> None:
        """Make everything two hours old: `gc` leaves alone what may still be being written."""
        then = time.time() - 7200
        for path in self.target.rglob("*"):
            os.utime(path, (then, then), follow_symlinks=False)


@dataclass(frozen=True)
class Scene:
    """A command and the state it finds.

    Attributes:
        argv: The command that is killed, and run again.
        prepare: Brings the project there.
        share: How many of the random kills are its.
        batch: Calls that one kill may cost.
    """

    name: str
    argv: tuple[str, ...]
    prepare: Callable[[Stage], None]
    share: int
    batch: int = 0


EXPERIMENTS = """
    experiments:
      planets:
        select: +kept
        measures: {kept: select count(*) from kept}
        variants:
          earth: {vars: {planet: Earth}}
          mars: {vars: {planet: Mars}}
"""


def new_project(stage: Stage) -> None:
    ShopProject(stage.shop)


def changed_project(stage: Stage) -> None:
    """Published, and then the prompt was changed: new calls, new results, a move."""
    stage.must("build")
    stage.made_calls()
    prompt = stage.shop / "project/prompts/hello.jinja"
    prompt.write_text(prompt.read_text().replace("Hello", "Dear"))


def two_environments(stage: Stage) -> None:
    """prod has what dev had before its last build."""
    stage.must("build")
    stage.must("promote", "dev", "prod")
    _threshold(stage, 0.3)
    stage.must("build")


def promoted_twice(stage: Stage) -> None:
    two_environments(stage)
    stage.must("promote", "dev", "prod")


def with_garbage(stage: Stage) -> None:
    """Results nobody points to, an unfinished build, calls of a function that has changed, an environment to drop."""
    stage.must("build")
    stage.must("build", "--env", "old")
    functions = stage.shop / "udfs/functions.py"
    functions.write_text(functions.read_text().replace("0xFFFFFF", "0xFFFFFE"))
    for threshold in (0.1, 0.2, 0.3):
        _threshold(stage, threshold)
        stage.must("build")
    stage.run("build", "--full-refresh", commit=9)


def with_experiments(stage: Stage) -> None:
    shop = ShopProject(stage.shop)
    shop.write("project/experiments.yml", EXPERIMENTS)
    stage.must("build")
    stage.made_calls()


def with_calls(stage: Stage) -> None:
    stage.must("build")
    stage.made_calls()


def _threshold(stage: Stage, value: float) -> None:
    path = stage.shop / "project/project.yml"
    path.write_text(re.sub(r"threshold: [\d.]+", f"threshold: {value}", path.read_text()))


SCENES = [
    Scene("first build", ("build",), lambda stage: None, 45, batch=7),
    Scene("build over a published state", ("build",), changed_project, 45, batch=7),
    Scene("experiment", ("experiment", "planets"), with_experiments, 40, batch=7),
    Scene("promote", ("promote", "dev", "prod"), two_environments, 20),
    Scene("rollback", ("rollback", "prod", "--to", "1"), promoted_twice, 15),
    Scene("gc", ("gc", "--yes", "--calls", "--unfinished", "--keep-states", "1", "--drop-env", "ol*"), with_garbage, 20),
    Scene("calls forget", ("calls", "forget", "--where", "result < 0.5", "--yes"), with_calls, 15),
]  # fmt: skip
