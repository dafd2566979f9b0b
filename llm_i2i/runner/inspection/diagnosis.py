"""What is installed, what a project needs of it, and what is missing: the facts behind `llmi2i debug`."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from llm_i2i.errors import LlmI2iError, ProjectErrors, counted
from llm_i2i.runner.inspection.pretrained import Machine, extras_of, readiness
from llm_i2i.runner.project import Project

Status = Literal["ok", "absent", "missing"]
PACKAGE = "llm_i2i"
FOR_DEVELOPERS = {"dev", "bench", "reference"}  # extras that no project needs
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)\s*(\[[^]]*\])?\s*(?P<versions>[^;]*)")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w.-]+)['\"]")


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        status: `ok`, `absent` (this project does without it) or `missing` (it does not).
        fix: What to do where it is not ok.
    """

    section: str
    name: str
    status: Status
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Requirement:
    """One package that llm_i2i or an extra of it asks for; `extra` is empty for the base install."""

    name: str
    versions: str
    extra: str

    def found(self) -> str | None:
        """The installed version; None without one."""
        try:
            return metadata.version(self.name)
        except metadata.PackageNotFoundError:
            return None

    @property
    def is_met(self) -> bool:
        version = self.found()
        return version is not None and satisfies(version, self.versions)


def diagnose(open_project: Callable[[], Project], *, verify: bool = False) -> list[Finding]:
    """Everything, section by section. A project that cannot be loaded is a finding, not an error.

    Args:
        verify: Also read all results and calls, and set aside what is damaged.
    """
    requirements = package_requirements()
    found = [*_versions(requirements), *_devices()]
    project: Project | None = None
    try:
        project = open_project()
        found += _project(project)
    except LlmI2iError as error:
        found += _mistakes("project", error)
    if project is not None:
        found += [*_store(project), *(_verified(project) if verify else ()), *_sources(project)]
        found += _language_models(project, requirements, str(project.vars.get("language_model")))
    found += _extras(requirements, needed_extras(project) if project else [])
    return found


# -- packages ----------------------------------------------------------------------------------------------------------


def package_requirements() -> list[Requirement]:
    """What the installed package declares; empty when it runs from files that were never installed."""
    try:
        lines = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return []
    return [parse_requirement(line) for line in lines]


def parse_requirement(line: str) -> Requirement:
    """A line of a package's metadata, such as `torch>=2.6; extra == 'local'`."""
    text, _, marker = line.partition(";")
    match = _REQUIREMENT.match(text)
    assert match is not None
    extra = _EXTRA.search(marker)
    return Requirement(
        match["name"], match["versions"].strip(" ()"), extra.group(1) if extra else ""
    )


def satisfies(version: str, versions: str) -> bool:
    """Whether a version meets `>=2.6,<3` or `==1.2`; what is no comparison of numbers is taken as met."""
    have = _numbers(version)
    checks = {
        ">=": lambda a, b: a >= b,
        "==": lambda a, b: a == b,
        "<=": lambda a, b: a <= b,
        "!=": lambda a, b: a != b,
        ">": lambda a, b: a > b,
        "<": lambda a, b: a < b,
    }
    for part in filter(None, (p.strip() for p in versions.split(","))):
        operator = next((o for o in checks if part.startswith(o)), None)
        if operator is None or not (wanted := _numbers(part.removeprefix(operator))):
            continue
        length = max(len(have), len(wanted))
        padded = [(*n, *[0] * (length - len(n))) for n in (have, wanted)]
        if not checks[operator](*padded):
            return False
    return True


def _numbers(version: str) -> list[int]:
    match = re.match(r"\d+(\.\d+)*", version.strip())
    return [int(part) for part in match[0].split(".")] if match else []


def _versions(requirements: list[Requirement]) -> Iterator[Finding]:
    from llm_i2i.version import __version__

    place = Path(__file__).parents[2]
    yield Finding("versions", PACKAGE, "ok", f"{__version__}  {place}")
    yield Finding("versions", "python", "ok", f"{platform.python_version()}  {sys.executable}")
    yield Finding("versions", "system", "ok", f"{platform.system()} {platform.machine()}")
    for requirement in requirements:
        if not requirement.extra:
            yield _package(requirement)


def _package(requirement: Requirement) -> Finding:
    if requirement.is_met:
        return Finding("versions", requirement.name, "ok", requirement.found() or "")
    return Finding(
        "versions",
        requirement.name,
        "missing",
        f"{requirement.found() or 'not installed'}, needs {requirement.versions}",
        f"pip install '{requirement.name}{requirement.versions}'",
    )


def needed_extras(project: Project) -> list[tuple[str, ...]]:
    """Extras that the project's language model asks for; of each tuple one will do."""
    models = project.loaded.config.language_models
    return extras_of(models.get(str(project.vars.get("language_model")), {}))


def by_extra(requirements: list[Requirement]) -> dict[str, list[Requirement]]:
    """The requirements of each extra that a project may need."""
    extras: dict[str, list[Requirement]] = {}
    for requirement in requirements:
        if requirement.extra and requirement.extra not in FOR_DEVELOPERS:
            extras.setdefault(requirement.extra, []).append(requirement)
    return extras


def extras_here(extras: dict[str, list[Requirement]]) -> set[str]:
    """Extras of which every package is installed."""
    return {name for name, parts in extras.items() if all(part.is_met for part in parts)}


def _extras(requirements: list[Requirement], needed: list[tuple[str, ...]]) -> Iterator[Finding]:
    extras = by_extra(requirements)
    here = extras_here(extras)
    wanted = [group for group in needed if not here & set(group)]
    if not extras:
        yield Finding("extras", PACKAGE, "absent", "not installed as a package: extras unknown")
    for name, parts in extras.items():
        if name in here:
            text = ", ".join(f"{p.name} {p.found()}" for p in parts)
            yield Finding("extras", name, "ok", text)
            continue
        lacking = ", ".join(f"{p.name}{p.versions}" for p in parts if not p.is_met)
        is_needed = any(name == group[0] for group in wanted)
        detail = f"without {lacking}" + ("; the language model needs it" if is_needed else "")
        fix = f"pip install '{PACKAGE}[{name}]'"
        yield Finding("extras", name, "missing" if is_needed else "absent", detail, fix)


# -- devices -----------------------------------------------------------------------------------------------------------


def _devices() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Finding("devices", "cpu", "ok", f"{cores} cores, {size_text(memory)} memory")
    torch = Requirement("torch", "", "").found() or ""
    cards = _nvidia_cards()
    for card in cards:
        note = f"  (torch {torch} does not use it)" if torch.endswith("+cpu") else ""
        yield Finding("devices", "gpu", "ok", card + note)
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        yield Finding("devices", "gpu", "ok", "Apple, by torch's mps")
    elif not cards:
        yield Finding("devices", "gpu", "absent", "none found; models run on the CPU")


def _nvidia_cards() -> list[str]:
    if not shutil.which("nvidia-smi"):
        return []
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in listed.stdout.splitlines() if line.strip()]


# -- the project -------------------------------------------------------------------------------------------------------


def _mistakes(section: str, error: LlmI2iError) -> Iterator[Finding]:
    for one in error.errors if isinstance(error, ProjectErrors) else [error]:
        found = f"{one.where}: {one.what}" if one.where else one.what
        yield Finding(section, "mistake", "missing", found, one.fix)


def _project(project: Project) -> Iterator[Finding]:
    config = project.loaded.config
    yield Finding("project", "name", "ok", f"{config.name}  {project.loaded.file}")
    target = project.target.model_dump(exclude_none=True)
    shown = {key: value for key, value in target.items() if key != "type" and value != []}
    settings = ", ".join(f"{key} {value}" for key, value in shown.items())
    yield Finding("project", "target", "ok", f"{project.target_name} ({target['type']}) {settings}")
    name = project.vars.get("language_model")
    if name in config.language_models:
        entry = config.language_models[name]
        kind = entry.get("pretrained") or entry.get("architecture", "llama")
        text = f"{name} ({kind}, backend {entry.get('backend', 'auto' if entry.get('pretrained') else 'transformers')})"
        yield Finding("project", "language model", "ok", text)
    try:
        counts = {**project.manifest.counts(), "UDF": len(project.udfs.signatures)}
    except LlmI2iError as error:
        yield from _mistakes("project", error)
        return
    yield Finding("project", "found", "ok", counted(counts))


def _language_models(
    project: Project, requirements: list[Requirement], needed: str
) -> Iterator[Finding]:
    """The pretrained models of the project: whether this machine can run them, and how to get what is missing.

    Args:
        needed: The entry that the project's var chooses.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    extras = frozenset(extras_here(by_extra(requirements)))
    machine = Machine(memory, tuple(_card_memory(card) for card in _nvidia_cards()), extras)
    for name, entry in project.loaded.config.language_models.items():
        if not entry.get("pretrained"):
            continue
        found = readiness(entry, project.definition.dir, machine)
        if not found.lacking and not found.too_small:
            size = f", {size_text(found.size)}" if found.size else ""
            yield Finding("language models", name, "ok", f"{found.place}{size}")
            continue
        status: Status = "missing" if name == needed and found.lacking else "absent"
        detail = f"{found.place}: {'; '.join([*found.lacking, *found.too_small])}"
        yield Finding("language models", name, status, detail, " && ".join(found.fixes))


def _card_memory(card: str) -> float:
    """Bytes of memory, from a line such as `NVIDIA H200, 143771 MiB`."""
    found = re.search(r"(\d+) MiB", card)
    return int(found[1]) * 2**20 if found else 0


def _sources(project: Project) -> Iterator[Finding]:
    """The files of every source that a model reads."""
    try:
        nodes = project.manifest.nodes
    except LlmI2iError:
        return  # said already
    read = {name for node in nodes.values() for name in node.reads if nodes[name].is_source}
    for name in sorted(read):
        shown = name.replace("__", ".", 1)
        try:
            files = project.sources.files(nodes[name])
        except LlmI2iError as error:
            yield Finding("sources", shown, "missing", error.found, error.fix)
            continue
        size = size_text(sum(path.stat().st_size for path in files))
        what = nodes[name].file_path if len(files) == 1 else f"{len(files)} files"
        yield Finding("sources", shown, "ok", f"{what}, {size}")


def _store(project: Project) -> Iterator[Finding]:
    folder = project.target_dir
    if not os.access(folder, os.W_OK):
        fix = "pass --target-path with a folder you may write to"
        yield Finding("store", "folder", "missing", f"{folder} cannot be written", fix)
        return
    free = size_text(shutil.disk_usage(folder).free)
    yield Finding("store", "folder", "ok", f"{folder}, {free} free")
    results = list(project.store.root.glob("[!.]*/*/meta.json"))
    size = size_text(_size(project.store.root))
    yield Finding("store", "results", "ok", f"{counted({'result': len(results)})}, {size}")
    calls = project.calls.root
    yield Finding("store", "calls", "ok", f"{size_text(_size(calls))} of cached UDF calls")
    published = sorted(path.stem for path in (folder / "envs").glob("[!.]*.json"))
    yield Finding("store", "environments", "ok", ", ".join(published) or "none published yet")


def _verified(project: Project) -> Iterator[Finding]:
    """Every stored byte read; a damaged result or segment of calls is set aside, so that a build makes it again."""
    whole = unknown = 0
    for path in sorted(project.store.root.glob("[!.]*/*/meta.json")):
        node, digest = path.parent.parent.name, path.parent.name
        meta = project.store.meta(node, digest)
        damaged = project.store.damaged_files(node, digest)
        whole += bool(meta and meta.digests and not damaged)
        unknown += bool(meta and not meta.digests)
        if damaged or meta is None:
            project.store.disown(node, digest)
            text = f"damaged: {', '.join(damaged) or 'cut short'}; {path.parent}"
            yield Finding("store", node, "missing", text, "llmi2i build makes it again")
    older = f"; {unknown} from before checksums were kept" if unknown else ""
    yield Finding("store", "whole results", "ok", f"{whole}{older}")
    segments = sum(len(project.calls.segments(udf, group)) for udf, group in project.calls.groups())
    yield Finding("store", "whole segments", "ok", f"{segments} of cached UDF calls")
    for path in project.calls.damaged():
        fix = "llmi2i build makes its calls again where they are needed; llmi2i gc removes the file"
        yield Finding("store", path.parent.parent.name, "missing", f"damaged: {path}", fix)


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def size_text(n_bytes: float) -> str:
    """Bytes in the unit a person would choose."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"


def missing(findings: Iterable[Finding]) -> list[Finding]:
    """What the project cannot do without."""
    return [finding for finding in findings if finding.status == "missing"]
