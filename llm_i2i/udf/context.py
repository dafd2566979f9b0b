"""What a UDF may know about the build it runs in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# (done, total, message): total 0 means unknown; message such as "loss 6.21".
ProgressCallback = Callable[[float, float, str], None]


def _silent(done: float, total: float, message: str) -> None:
    pass


@dataclass(frozen=True)
class UdfContext:
    """Handed to a UDF that declares a keyword-only parameter named `context`.

    Attributes:
        project_dir: Root of the project.
        store_dir: Root of the content-addressed store.
        artifact_dir: Folder a table UDF may fill with files (a checkpoint); it is published together with the rows.
        artifact_name: What `artifact_dir` will be called once published, relative to `store_dir`.
        resume_dir: Folder for the state of a long call: it outlives a kill, the next build of the same result finds it, and it
            is removed once the result is published. It may not exist yet; None where nothing outlives the call.
        progress: Call it with (done, total, message) as often as you like; it is throttled.
        serving: How to run the checkpoints of each entry of the project's `language_models` (`llm_i2i.lm.serving`); in no
            fingerprint and no call key, since it changes no answer.
    """

    project_dir: Path
    store_dir: Path
    artifact_dir: Path
    artifact_name: str
    resume_dir: Path | None = None
    progress: ProgressCallback = field(default=_silent, compare=False)
    serving: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """For a worker in another process, where `progress` reaches nobody."""
        return {**self.__dict__, "progress": _silent}

    def resolve(self, artifact: str) -> Path:
        """Folder of a published artifact, given the name found in a `checkpoint` column."""
        return self.store_dir / artifact.partition("@")[0]


@dataclass(frozen=True)
class RowError:
    """Return it in place of a row's value: that row failed, its batch did not."""

    message: str
