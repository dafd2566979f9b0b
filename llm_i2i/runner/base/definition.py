"""What a project says: its files, read; the vars, target and environment of one invocation."""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from llm_i2i.config.base import unknown_fix
from llm_i2i.config.loader import load_project
from llm_i2i.config.vars import merge_vars
from llm_i2i.errors import ProjectError
from llm_i2i.graph.load import load_manifest, make_renderer
from llm_i2i.graph.manifest import Manifest
from llm_i2i.runner.base.selection import ProjectSelection, write_state
from llm_i2i.runner.base.sources import JsonCache, SourceFiles
from llm_i2i.runner.base.weights import weights_digests
from llm_i2i.runner.remote.sources import RemoteSources
from llm_i2i.store.calls import CallCache
from llm_i2i.store.environment import Environment
from llm_i2i.store.holds import Holds
from llm_i2i.store.store import Store
from llm_i2i.udf.registry import UdfRegistry

if TYPE_CHECKING:
    from llm_i2i.render.cache import RenderCache
    from llm_i2i.render.renderer import Renderer
    from llm_i2i.runner.remote.databases import Database

LONGEST_NAME = 100  # characters of an environment's name
TAKEN_NAMES = ("memory", "system", "temp")


def jobs_of_environment() -> int:
    """What LLMI2I_JOBS says; 0 where it is not set.

    Raises:
        ProjectError: It is no number of processes.
    """
    text = os.environ.get("LLMI2I_JOBS", "")
    if text and not (text.isascii() and text.isdigit() and int(text)):
        raise ProjectError(
            "LLMI2I_JOBS is not a number of processes", found=repr(text), fix="LLMI2I_JOBS=2"
        )
    return int(text or 0)


def named_environment(target_dir: Path, name: str) -> Environment:
    """An environment of a target folder, published or not.

    Raises:
        ProjectError: It is not a name.
    """
    if not name.replace("-", "_").isidentifier() or len(name) > LONGEST_NAME:
        raise ProjectError(
            f"environment {name[:LONGEST_NAME]!r} is not a name",
            found="it becomes a file and a catalogue of this name",
            fix=f"use letters, digits, _ and -, at most {LONGEST_NAME}",
        )
    if name.lower() in TAKEN_NAMES:
        raise ProjectError(
            f"environment {name!r} has the name of a catalogue that DuckDB has already",
            found=f"taken: {', '.join(TAKEN_NAMES)}",
            fix="give it another name",
        )
    return Environment(target_dir, name)


class ProjectDefinition:
    """Settings and the graph of a project; nothing is compiled or run."""

    def __init__(
        self,
        project_dir: Path,
        *,
        vars: Mapping[str, Any] | None = None,
        target: str | None = None,
        env: str = "dev",
        target_path: str | Path | None = None,
        threads: int | None = None,
        jobs: int | None = None,
        state: str | Path | None = None,
    ) -> None:
        self.dir = project_dir
        self.loaded = load_project(project_dir)
        self.vars = merge_vars(self.loaded.var_settings, vars or {})
        self.target = self.loaded.config.target_settings(target)
        self._target_name = target or self.loaded.config.default_target
        self.target_dir = project_dir / (target_path or self.loaded.config.target_path)
        try:
            self.target_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProjectError(
                "the folder for results cannot be made",
                where=str(self.target_dir),
                found=str(error),
                fix="pass --target-path with a folder you may write to",
            ) from error
        self.threads = threads or self.target.threads
        self.jobs = jobs or jobs_of_environment() or self.target.jobs
        self.state_dir = Path(state) if state else None
        self.environment = self.other_environment(env)
        self.store = Store(self.target_dir)
        self.calls = CallCache(self.target_dir)
        self.holds = Holds(self.target_dir)
        files = JsonCache(self.target_dir / "cache" / "files.json")
        remote = RemoteSources(project_dir, self.target_dir, self.database)
        self.sources = SourceFiles(project_dir, files, remote, lambda: self.manifest.nodes)
        self.compiled_cache = JsonCache(self.target_dir / "cache" / "compiled.json")

    @classmethod
    def load(cls, project_dir: str | Path = ".", **settings: Any) -> Self:
        """Read a project. Settings: vars, target, env, target_path, threads, jobs, state."""
        return cls(Path(project_dir), **settings)

    @property
    def target_name(self) -> str:
        """The target of project.yml that this runs on."""
        return self._target_name

    def variant(self, vars: Mapping[str, Any], env: str) -> Self:
        """The same project with other vars, publishing another environment; what was read of its files is shared.

        Args:
            vars: Over the project's own, in place of those this one was loaded with.
        """
        other = copy.copy(self)
        for cached in ("manifest", "renderer", "selection"):
            other.__dict__.pop(cached, None)
        other.vars = merge_vars(self.loaded.var_settings, vars)
        other.sources = self.sources.of(lambda: other.manifest.nodes)
        other.environment = Environment(self.target_dir, env)
        return other

    def other_environment(self, name: str) -> Environment:
        """An environment of this project's store, published or not. Raises as `named_environment`."""
        return named_environment(self.target_dir, name)

    def in_environment(self, name: str) -> Self:
        """The same project, reading and publishing another environment."""
        other = copy.copy(self)
        other.environment = self.other_environment(name)
        return other

    @functools.cached_property
    def manifest(self) -> Manifest:
        found = load_manifest(self.loaded, self.renderer)
        self._render_cache.forget_oldest()
        self._rendered.save()
        return found

    @functools.cached_property
    def renderer(self) -> Renderer:
        """All macros and prompts of the project, read once."""
        return make_renderer(
            self.loaded, self.vars, self._target_name, self._render_cache, self._weights
        )

    @functools.cached_property
    def _weights(self) -> Mapping[str, str]:
        models = self.loaded.config.language_models
        seen = JsonCache(self.target_dir / "cache" / "weights.json")
        found = weights_digests(models, self.dir, self.sources.digest, seen.values)
        seen.save()
        self.sources.save_digests()
        return found

    @functools.cached_property
    def _render_cache(self) -> RenderCache:
        from llm_i2i.render.cache import RenderCache

        return RenderCache(self._rendered.values)

    @functools.cached_property
    def _rendered(self) -> JsonCache:
        return JsonCache(self.target_dir / "cache" / "rendered.json")

    def render(self, sql: str, where: str = "--inline", *, secrets: bool = False) -> str:
        """Jinja of a piece of SQL evaluated: ref(), var() and macros work as in a model.

        Args:
            where: Where it is written, for messages.
            secrets: Whether env_var() may read secret variables.
        """
        return self.renderer.render_expression(sql, where, secrets=secrets).sql

    def database(self, alias: str) -> Database:
        """A database that the target attaches; its address may be made of secrets.

        Raises:
            ProjectError: There is none of this name.
        """
        from llm_i2i.runner.remote.databases import Database, database_kind

        attached = {one.alias.lower(): one for one in self.target.attach}
        where = self.loaded.file.name
        if alias.lower() not in attached:
            raise ProjectError(
                f"target {self._target_name!r} attaches no database {alias!r}",
                where=where,
                found=f"attached: {', '.join(attached) or '(none)'}",
                fix=unknown_fix(
                    alias.lower(),
                    attached,
                    otherwise=f"add it under targets: {self._target_name}: attach: [{{alias: {alias}, path: ...}}]",
                ),
            )
        found = attached[alias.lower()]
        where = found.location or where
        path = self.render(found.path, where, secrets=True).strip()
        kind = found.type or database_kind(path)
        if kind in ("duckdb", "sqlite"):
            path = str(self.dir / Path(path).expanduser())
        options = {
            name: self.render(value, where, secrets=True) for name, value in found.options.items()
        }
        return Database(found.alias, kind, path, options)

    @functools.cached_property
    def udfs(self) -> UdfRegistry:
        return UdfRegistry.load(
            part.root / path for part in self.loaded.parts for path in part.config.udf_paths
        )

    def _udf_versions(self) -> dict[str, str]:
        return {name: signature.version for name, signature in self.udfs.signatures.items()}

    @functools.cached_property
    def serving(self) -> Mapping[str, Any]:
        """How the checkpoints of each language model are run: not part of any fingerprint.

        Raises:
            ProjectError: A wrong option under `serving:`.
        """
        from llm_i2i.lm.serving import project_serving

        return project_serving(self.loaded.config.language_models)

    @functools.cached_property
    def selection(self) -> ProjectSelection:
        return ProjectSelection(
            self.loaded, self.manifest, self.target_dir, self.state_dir, self._udf_versions
        )

    def criteria(
        self, select: str | Iterable[str] = (), exclude: str | Iterable[str] = ()
    ) -> tuple[list[str], list[str]]:
        """--select and --exclude as lists; the default selector where neither is given."""
        wanted, unwanted = list(words_of(select)), list(words_of(exclude))
        return (wanted if wanted or unwanted else self.selection.default), unwanted

    def select(
        self, select: str | Iterable[str] = (), exclude: str | Iterable[str] = ()
    ) -> list[str]:
        """Names of the selected nodes in build order; without criteria those of the default selector, or all.

        Raises:
            ProjectError: A criterion cannot be read, or no node is selected.
        """
        keys = self.selection.select(*self.criteria(select, exclude))
        names = [key for key in keys if key in self.manifest.nodes]
        if not names:
            raise ProjectError(
                "nothing selected",
                found=f"only {', '.join(keys)}",
                fix=f"select what it reads: +{keys[0]}",
            )
        return names

    def write_state(self) -> None:
        """Note in the target folder what the project is, for `--state` of a later command."""
        write_state(self.target_dir, self.manifest, self._udf_versions())


def words_of(criteria: str | Iterable[str]) -> Sequence[str]:
    """Criteria as a list, whether they came as one text or as several."""
    return criteria.split() if isinstance(criteria, str) else list(criteria)
