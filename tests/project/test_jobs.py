"""Table UDFs in processes of their own: what runs beside what, what is handed over, and what is left when something dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.plan.step import PlanStep
from llm_i2i.runner.build.events import BuildResult, NodeOutcome, Reporter
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject

MEET = '''
"""Two functions that each wait until the other runs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa

from llm_i2i.udf import UdfContext, table_udf


@table_udf(returns={"pid": "BIGINT"})
def meet(rows: pa.Table, *, name: str, other: str, context: UdfContext) -> pa.Table:
    (context.project_dir / name).write_text("here")
    for _ in range(300):
        if (context.project_dir / other).exists():
            print("met", name)
            context.progress(1, 1, "met")
            return pa.table({"pid": [os.getpid()]})
        time.sleep(0.05)
    raise RuntimeError("nobody came")


@table_udf(returns={"pid": "BIGINT"}, is_quick=True)
def here(rows: pa.Table) -> pa.Table:
    return pa.table({"pid": [os.getpid()]})


@table_udf(returns={"value": "VARCHAR"})
def shown(*, number: int, share: float, names: list[str], shares: list[float], nothing: str | None) -> pa.Table:
    return pa.table({"value": [repr((number, share, names, shares, nothing))]})


@table_udf(returns={"value": "BIGINT"})
def burns(*, seconds: float) -> pa.Table:
    started = time.process_time()
    while time.process_time() - started < seconds:
        pass
    return pa.table({"value": [1]})


@table_udf(returns={"value": "BIGINT"})
def fails(rows: pa.Table, *, how: str, context: UdfContext) -> pa.Table:
    if how == "raise":
        raise ValueError("no such luck")
    if how == "die":
        os.kill(os.getpid(), 9)
    if how == "nothing":
        return None
    if how == "sleep":
        (context.project_dir / "asleep").write_text(str(os.getpid()))
        time.sleep(600)
    return pa.table({"value": ["a text"]})
'''


class Notes(Reporter):
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.order: list[str] = []

    def progress(
        self, step: PlanStep, activity: str, done: float, total: float, message: str
    ) -> None:
        self.heard.append(f"{step.node.name} {activity} {done:g}/{total:g} {message}")

    def node_finished(self, index: int, total: int, outcome: NodeOutcome) -> None:
        self.order.append(outcome.step.node.name)


def add_meeting(shop: ShopProject) -> None:
    shop.write("udfs/meet.py", MEET)
    for name, other in (("ping", "pong"), ("pong", "ping")):
        shop.write(
            f"models/{name}.sql",
            f"select pid from meet((select * from {{{{ ref('events') }}}}), name := '{name}', other := '{other}')\n",
        )


def is_worker(process: Path) -> bool:
    """Whether a process under /proc runs table UDFs for this one."""
    try:
        parent = (process / "stat").read_text().rsplit(")", 1)[1].split()[1]
        return parent == str(os.getpid()) and b"llm_i2i.udf.worker" in (process / "cmdline").read_bytes()  # fmt: skip
    except OSError:
        return False


def build(
    shop: ShopProject, jobs: int, select: str, reporter: Reporter | None = None
) -> BuildResult:
    return Project.load(shop.dir, jobs=jobs).build(select, reporter=reporter)


def statuses(result: BuildResult) -> dict[str, str]:
    return {node.step.node.name: node.status for node in result.nodes}


def test_two_functions_run_at_once_each_in_a_process_of_its_own(
    shop: ShopProject, capfd: pytest.CaptureFixture[str]
) -> None:
    add_meeting(shop)
    notes = Notes()
    result = build(shop, 2, "+ping +pong", notes)
    assert statuses(result) == {"events": "OK", "ping": "OK", "pong": "OK"}
    assert result.published
    _, rows = Project.load(shop.dir).rows("select pid from ping union all select pid from pong")
    pids = {pid for (pid,) in rows}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert "ping meet 1/1 met" in notes.heard
    out, err = capfd.readouterr()
    assert out == ""
    assert "met ping" in err  # what a function prints is seen


def test_a_quick_function_runs_in_the_process_of_the_build(shop: ShopProject) -> None:
    add_meeting(shop)
    shop.write("models/quick.sql", "select pid from here((select * from {{ ref('events') }}))\n")
    assert build(shop, 2, "+quick").published
    assert Project.load(shop.dir).rows("select pid from quick")[1] == [(os.getpid(),)]


def test_a_process_ends_when_no_call_is_left(shop: ShopProject) -> None:
    add_meeting(shop)
    shop.write(
        "models/after.sql",
        "select pid from {{ ref('ping') }} union all select pid from {{ ref('pong') }}\n",
    )

    class Alive(Reporter):
        children: tuple[Path, ...] = (Path("none was seen"),)

        def node_started(self, index: int, total: int, step: PlanStep) -> None:
            if step.node.name == "after":
                self.children = tuple(filter(is_worker, Path("/proc").glob("[0-9]*")))

    alive = Alive()
    assert build(shop, 2, "+after", alive).published
    assert alive.children == ()


def test_the_result_is_the_same_with_any_number(shop: ShopProject, tmp_path: Path) -> None:
    stores = []
    for jobs in (1, 3):
        project = Project.load(shop.dir, jobs=jobs, target_path=tmp_path / f"target{jobs}")
        assert project.build().success
        stores.append(project.rows("select * from scored order by all"))
        step = project.rows("select step, checkpoint from trained")
        assert step[1][0][0] == 1
    assert stores[0] == stores[1]
    # and no fingerprint knows of it
    again = Project.load(shop.dir, jobs=1, target_path=tmp_path / "target3").build()
    assert set(statuses(again).values()) == {"REUSED"}


def test_cpu_seconds_of_a_step_are_known_wherever_it_runs(shop: ShopProject) -> None:
    shop.write("udfs/meet.py", MEET)
    for name in ("a", "b"):
        shop.write(f"models/burnt_{name}.sql", "select value from burns(seconds := 0.4)\n")
    for jobs in (1, 2):
        project = Project.load(shop.dir, jobs=jobs, target_path=shop.dir / f"target{jobs}")
        nodes = project.build("burnt_a burnt_b events").nodes
        spent = {node.step.node.name: node.cpu_seconds for node in nodes}
        assert min(spent["burnt_a"], spent["burnt_b"]) >= 0.4
        assert 0.0 < spent["events"] < 0.4
        assert all(n.cpu_seconds == 0.0 for n in project.build("burnt_a burnt_b events").nodes)


def test_constants_arrive_as_they_are(shop: ShopProject) -> None:
    shop.write("udfs/meet.py", MEET)
    shop.write(
        "models/constants.sql",
        "select value from shown(number := 7, share := 0.5, names := ['a', 'é'], shares := [0.5, 1.5], nothing := null)\n",
    )
    values = []
    for jobs in (1, 2):
        project = Project.load(shop.dir, jobs=jobs, target_path=shop.dir / f"target{jobs}")
        assert project.build("constants").success
        values.append(project.rows("select value from constants")[1])
    assert values[0] == values[1] == [("(7, 0.5, ['a', 'é'], [0.5, 1.5], None)",)]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("raise", "UDF 'fails' raised ValueError: no such luck"),
        ("die", "the process of UDF 'fails' ended before its result"),
        ("nothing", "UDF 'fails' did not return the relation it declares"),
        ("text", "UDF 'fails' returned other types than it declares"),
    ],
)
def test_a_function_that_fails_is_named_and_the_others_go_on(
    shop: ShopProject, how: str, words: str
) -> None:
    add_meeting(shop)
    shop.write(
        "models/broken.sql",
        f"select value from fails((select * from {{{{ ref('events') }}}}), how := '{how}')\n",
    )
    shop.write("models/below.sql", "select value from {{ ref('broken') }}\n")
    result = build(shop, 3, "+ping +pong +below")
    assert statuses(result) == {
        "events": "OK", "ping": "OK", "pong": "OK", "broken": "ERROR", "below": "SKIP",
    }  # fmt: skip
    (error,) = [node.error for node in result.nodes if node.status == "ERROR"]
    assert error is not None
    assert error.what == words
    assert "meet.py" in error.where
    assert not list((shop.dir / "target" / "tmp").glob("*"))


def test_a_build_waits_for_no_other_while_it_holds_a_result(shop: ShopProject) -> None:
    """Two builds that make the same two results at once, begun from opposite ends: no deadlock, each result is made once."""
    shop.write(
        "udfs/slow.py",
        """
        import time
        import uuid

        import pyarrow as pa

        from llm_i2i.udf import table_udf


        @table_udf(returns={"token": "VARCHAR"})
        def slow(rows: pa.Table, *, name: str) -> pa.Table:
            time.sleep(1.5)
            return pa.table({"token": [uuid.uuid4().hex]})
        """,
    )
    for name in ("one", "two", "three"):
        shop.write(
            f"models/{name}.sql",
            f"select token from slow((select * from {{{{ ref('events') }}}}), name := '{name}')\n",
        )
    command = [
        sys.executable,
        "-m",
        "llm_i2i",
        "build",
        "--project-dir",
        str(shop.dir),
        "--jobs",
        "2",
    ]
    builds = [
        subprocess.Popen(
            [*command, "-s", "+one +two +three", "--env", env],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for env in ("a", "b")
    ]  # fmt: skip
    for running in builds:
        _, err = running.communicate(timeout=60)
        assert running.returncode == 0, err
    tokens = [
        Project.load(shop.dir, env=env).rows("select * from one, two, three")[1]
        for env in ("a", "b")
    ]
    assert tokens[0] == tokens[1]


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_build_that_is_ended(shop: ShopProject, signal_number: int) -> None:
    shop.write("udfs/meet.py", MEET)
    shop.write(
        "models/broken.sql",
        "select value from fails((select * from {{ ref('events') }}), how := 'sleep')\n",
    )
    build = subprocess.Popen(
        [sys.executable, "-m", "llm_i2i", "build", "--project-dir", str(shop.dir), "--jobs", "2", "-s", "+broken"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    asleep = shop.dir / "asleep"
    wait_until(lambda: asleep.exists() and asleep.read_text() != "")
    worker = int(asleep.read_text())
    build.send_signal(signal_number)
    _, err = build.communicate(timeout=30)
    assert (
        build.returncode
        == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[signal_number]
    )
    assert "Traceback" not in err
    wait_until(lambda: not Path(f"/proc/{worker}").exists())
    shop.replace("models/broken.sql", "'sleep'", "'text'")
    shop.replace("udfs/meet.py", '["a text"]', "[1]")
    assert Project.load(shop.dir, jobs=2).build("+broken").success
    assert not list((shop.dir / "target" / "tmp").glob("*"))


def wait_until(condition: object) -> None:
    end = time.monotonic() + 30
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_number_that_is_none_is_refused(
    shop: ShopProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMI2I_JOBS", "two")
    with pytest.raises(ProjectError, match="LLMI2I_JOBS is not a number of processes"):
        Project.load(shop.dir)
    monkeypatch.setenv("LLMI2I_JOBS", "3")
    assert Project.load(shop.dir).jobs == 3
    assert Project.load(shop.dir, jobs=2).jobs == 2


def test_what_no_call_waits_for_leaves_the_cores_to_the_calls(
    shop: ShopProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_meeting(shop)
    # a quick function counts as a query.
    shop.write("models/aside.sql", "select pid from here((select * from {{ ref('events') }}))\n")
    orders = []
    for cores in (2, 3):
        monkeypatch.setattr("llm_i2i.runner.build.schedule.CORES", cores)
        project = Project.load(shop.dir, jobs=2, target_path=shop.dir / f"target{cores}")
        project.build("aside +ping +pong", reporter=(notes := Notes()))
        orders.append(notes.order)
    assert orders[0].index("aside") > min(map(orders[0].index, ("ping", "pong")))
    assert orders[1].index("aside") < min(map(orders[1].index, ("ping", "pong")))
