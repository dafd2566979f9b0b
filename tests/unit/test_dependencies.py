"""Who may know whom: the table of the architecture, held by reading the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "llm_i2i"
GROUND = {"errors", "secrets", "names", "fingerprint", "tabular", "version", "udf.signature"}
COMPILER = ["config", "render", "sql", "graph", "plan"]  # each sees those to its left
MACHINERY = {"store", "engine", "udf", "lm", "i2i"}  # siblings may see each other's protocols
PROTOCOLS = {"engine.base", "udf.context", "udf.decorators", "udf"}
HEAVY = {
    "dbt",
    "httpx",
    "peft",
    "torch",
    "transformers",
    "deepspeed",
    "vllm",
    "pyspark",
    "implicit",
    "scipy",
    "sklearn",
    "matplotlib",
    "starlette",
    "uvicorn",
    "msgspec",
    "redis",
    "fsspec",
    "adbc_driver_manager",
    "adbc_driver_postgresql",
    "deltalake",
    "pyiceberg",
}
OWNERS_OF_HEAVY = (
    "dbt_plugin.py",
    "lm/training/",
    "lm/inference/",
    "engine/spark.py",
    "lm/device.py",
    "lm/tokenizer.py",
    "lm/precision.py",
    "i2i/",
    "experiment/plots.py",
    "cli/charts.py",
    "runner/remote/",
    "serve/",
)


FILES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Names a file imports, and whether at module level (outside functions)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, id(node) not in inside


def own_modules(path: Path) -> set[str]:
    return {
        name.removeprefix("llm_i2i").lstrip(".")
        for name, _ in imports(path)
        if name.split(".")[0] == "llm_i2i"
    }


def import_graph() -> dict[str, set[str]]:
    """Module -> the modules of the package it imports, wherever the import stands: in functions and for types too."""
    modules = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for path in FILES
    }
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        found = graph.setdefault(module.removeprefix("llm_i2i").lstrip("."), set())
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*(parents if node.level else []), *filter(None, [node.module])])
                names = [
                    f"{base}.{a.name}" if f"{base}.{a.name}" in modules else base
                    for a in node.names
                ]
            found |= {n.removeprefix("llm_i2i").lstrip(".") for n in names if n in modules}
    return graph


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The strongly connected components of more than one module."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        pending = [start]
        while pending:
            new = graph[pending.pop()] - seen
            seen |= new
            pending += new
        return seen

    reach = {module: reached(module) for module in graph}
    found = {
        frozenset(m for m in reach[module] if module in reach[m])
        for module in graph
        if module in reach[module]
    }
    return sorted((set(circle) for circle in found if len(circle) > 1), key=sorted)


def part(module: str) -> str:
    return module.split(".")[0]


def allowed(importer: str, module: str) -> bool:
    home = part(importer)
    if module in GROUND or part(module) == home or module == "":
        return True
    if home in COMPILER:
        return part(module) in COMPILER[: COMPILER.index(home)]
    if home in MACHINERY:
        return part(module) in MACHINERY and module in PROTOCOLS
    if home == "runner":
        return part(module) in {*COMPILER, *MACHINERY, "statistics"}
    if home == "experiment":
        return part(module) in {*COMPILER, "runner", "store", "statistics"}
    if home == "docs_site":
        return part(module) in {*COMPILER, "runner", "store"}
    if home == "serve":
        return part(module) == "store"
    return home in {"api", "cli", "dbt_plugin", "__init__", "__main__"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    importer = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    wrong = {module for module in own_modules(path) if not allowed(importer, module)}
    assert not wrong, f"{importer} may not import {wrong}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_stay_with_their_owners(path: Path) -> None:
    if str(path.relative_to(PACKAGE)).startswith(OWNERS_OF_HEAVY):
        return
    assert not {name for name, _ in imports(path) if name.split(".")[0] in HEAVY}


def test_no_module_imports_itself_in_a_circle() -> None:
    assert circles(import_graph()) == []


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}, "e": {"e"}}
    assert circles(graph) == [{"b", "c"}]


# What each room of the runner may see of the others.
ROOMS = {
    "remote": set(),
    "base": {"remote"},
    "artifacts": {"base", "build"},
    "environments": {"base", "build", "remote"},
    "build": {"base", "artifacts"},
    "inspection": {"base", "build", "environments", "project"},
}


def test_rooms_of_the_runner_see_only_those_below_them() -> None:
    for module, found in import_graph().items():
        home, _, rest = module.partition(".")
        room = rest.partition(".")[0]
        if home != "runner" or room not in ROOMS:
            continue
        seen = {m.split(".")[1] for m in found if m.startswith("runner.")} - {room}
        assert seen <= ROOMS[room], f"{module} may not import {seen - ROOMS[room]}"


def test_training_and_inference_do_not_know_each_other() -> None:
    for one, other in (("training", "inference"), ("inference", "training")):
        for path in (PACKAGE / "lm" / one).rglob("*.py"):
            assert not {m for m in own_modules(path) if m.startswith(f"lm.{other}")}, path


def test_the_package_never_imports_the_project() -> None:
    for path in FILES:
        assert not {
            name
            for name, _ in imports(path)
            if name.split(".")[0] in {"udfs", "models", "project", "tests"}
        }


@pytest.mark.parametrize(
    ("command", "absent"),
    [
        (
            "import llm_i2i.cli.main",
            {"duckdb", "pyarrow", "numpy", "sqlglot", "pydantic", "jinja2", "torch"},
        ),
        pytest.param(
            "import llm_i2i.serve.app",
            {"duckdb", "pyarrow", "pydantic", "starlette", "uvicorn"},
            marks=pytest.mark.skipif(not find_spec("msgspec"), reason="needs the serve extra"),
        ),
        ("import llm_i2i.runner.project", {"torch", "transformers", "scipy", "sqlglot"}),
    ],
)
def test_start_up_loads_nothing_heavy(command: str, absent: set[str]) -> None:
    code = f"{command}; import sys; print(sorted({absent!r} & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert found.strip() == "[]"
