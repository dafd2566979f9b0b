"""A real Spark standalone cluster on this machine: master, Connect server and two workers, each at an address of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORKERS = ("127.0.0.2", "127.0.0.3")
START_SECONDS = 180


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@dataclass
class Cluster:
    """Processes and folders below `folder`; `stop` ends all of them.

    Attributes:
        conf: Settings of Spark over ours, which are for a few hundred rows.
    """

    folder: Path
    worker_memory: str = "3g"
    executor_memory: str = "1500m"
    driver_memory: str = "1g"
    conf: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    url: str = ""

    def start(self) -> Cluster:
        master, connect = free_port(), free_port()
        self._run(
            "master", "127.0.0.1", "spark-class", "org.apache.spark.deploy.master.Master",
            "--host", "127.0.0.1", "--port", str(master), "--webui-port", "0",
        )  # fmt: skip
        _wait_for("127.0.0.1", master, self)
        self.master = f"spark://127.0.0.1:{master}"
        for host in WORKERS:
            self.start_worker(host)
        settings = {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(connect),
            "spark.executor.cores": "1",
            "spark.executor.memory": self.executor_memory,
            # small data, few cores: compilers of the JVM would take more than they save
            "spark.sql.shuffle.partitions": "2",
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
            "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1",
            "spark.ui.enabled": "false",
            # a lost worker is noticed in seconds, not minutes
            "spark.worker.timeout": "15",
            "spark.network.timeout": "60s",
            "spark.executor.heartbeatInterval": "5s",
            **self.conf,
        }
        options = [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
        self._run(
            "connect", "127.0.0.1", "spark-submit", "--master", self.master, *options,
            "--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal",
        )  # fmt: skip
        _wait_for("127.0.0.1", connect, self)
        self.url = f"sc://127.0.0.1:{connect}"
        return self

    def start_worker(self, host: str) -> None:
        self._run(
            host, host, "spark-class", "org.apache.spark.deploy.worker.Worker",
            "--host", host, "--cores", "1", "--memory", self.worker_memory,
            "--work-dir", str(self.local_dir(host) / "work"), "--webui-port", "0", self.master,
        )  # fmt: skip

    def local_dir(self, host: str) -> Path:
        return self.folder / f"worker-{host}"

    def lose_worker(self, host: str) -> None:
        """What a machine that dies takes with it: the worker, its executors, and its local disk."""
        self._kill(self.processes.pop(host))
        shutil.rmtree(self.local_dir(host), ignore_errors=True)

    def stop(self) -> None:
        for process in reversed(list(self.processes.values())):
            self._kill(process)
        self.processes.clear()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # a group that we started, executors included
        process.wait()

    def _run(self, name: str, host: str, program: str, *arguments: str) -> None:
        import pyspark

        home = Path(pyspark.__file__).parent
        local = self.local_dir(host) if host in WORKERS else self.folder / name
        local.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": host,
            "SPARK_LOCAL_DIRS": str(local),
            "SPARK_LOG_DIR": str(self.folder),
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT),
            # of the Connect server, too: spark-submit takes it for a daemon and passes over spark.driver.memory
            "SPARK_DAEMON_MEMORY": self.driver_memory if name == "connect" else "512m",
            "OMP_NUM_THREADS": "1",
        }
        for unwanted in ("SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED"):
            environment.pop(unwanted, None)
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [str(home / "bin" / program), *arguments],
                env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                cwd=local,
            )  # fmt: skip


def _wait_for(host: str, port: int, cluster: Cluster) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for name, process in cluster.processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended:\n{cluster.log(name)[-3000:]}")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(0.5)
    raise RuntimeError(f"nothing answers at {host}:{port} after {START_SECONDS} s")
