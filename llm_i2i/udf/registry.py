"""The one registry of UDFs: loads a project's `udfs/*.py` by path and finds the decorated functions."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from llm_i2i.errors import LlmI2iError, NodeError, ProjectError
from llm_i2i.fingerprint import fingerprint
from llm_i2i.udf.decorators import signature_mark
from llm_i2i.udf.signature import Signature

# Functions of DuckDB that sqlglot turns into nodes of their own: a UDF of that name would never be seen.
RESERVED = {
    "call_key",
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "list",
    "unnest",
    "coalesce",
    "lower",
    "upper",
    "round",
}


class UdfRegistry:
    """Signatures and functions by lower-case name."""

    def __init__(self) -> None:
        self.signatures: dict[str, Signature] = {}
        self._functions: dict[str, Callable[..., Any]] = {}
        self._files: dict[str, Path] = {}

    @classmethod
    def load(cls, folders: Iterable[Path]) -> UdfRegistry:
        """Import every `*.py` of the folders (not `_*.py`) and register what is decorated there."""
        registry = cls()
        for folder in folders:
            for path in sorted(folder.glob("[!_]*.py")):
                registry.load_file(path)
        return registry

    def load_file(self, path: Path) -> None:
        module = _import_file(path)
        version = source_version(path)
        for value in vars(module).values():
            signature = signature_mark(value)
            if signature is not None and value.__module__ == module.__name__:
                self.add(replace(signature, version=version), value, path)

    def add(self, signature: Signature, function: Callable[..., Any], path: Path) -> None:
        name = signature.name.lower()
        if name in self.signatures:
            raise ProjectError(
                f"UDF {name!r} is defined twice",
                where=str(path),
                found=f"also in {self._files[name]}",
                fix="rename one",
            )
        if name in RESERVED:
            raise ProjectError(
                f"UDF name {name!r} is taken by a built-in SQL function",
                where=str(path),
                fix="rename the function",
            )
        self.signatures[name] = signature
        self._functions[name] = function
        self._files[name] = path

    def function(self, name: str) -> Callable[..., Any]:
        return self._functions[name.lower()]

    def file(self, name: str) -> Path:
        return self._files[name.lower()]

    def of_kind(self, *kinds: str) -> dict[str, Signature]:
        return {name: s for name, s in self.signatures.items() if s.kind in kinds}


def source_version(path: Path) -> str:
    """Digest of a Python file's syntax tree without docstrings: comments and layout do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8-sig"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                body[0] = ast.Expr(ast.Constant(""))
    return fingerprint(ast.dump(tree))


class _SourceAlone(SourceFileLoader):
    """Reads the source, never `__pycache__`: a full disk leaves that cut short, and its dates miss an edit within a second."""

    def path_stats(self, path: Any) -> Any:
        raise OSError("no bytecode")


def _import_file(path: Path) -> Any:
    name = f"llm_i2i_project_udfs.{path.stem}"
    loader = _SourceAlone(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except LlmI2iError:
        raise
    except SyntaxError as error:
        raise ProjectError(
            f"UDF file has a syntax error: {error.msg}",
            where=f"{path}:{error.lineno}",
            found=(error.text or "").strip(),
            fix="correct the line",
        ) from error
    except (Exception, SystemExit) as error:
        line = _line_in(error, path)
        raise ProjectError(
            "UDF file cannot be imported",
            where=f"{path}:{line}" if line else str(path),
            found=f"{type(error).__name__}: {error}",
            fix="mend the file: importing it must define functions and do nothing else",
        ) from error
    return module


def _line_in(error: BaseException, path: Path) -> int:
    """Line of `path` nearest to where the error was raised; 0 if it is not on the way."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).resolve() == path.resolve():
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def raised(udf: str, error: BaseException, path: Path, *, found: str, fix: str) -> NodeError:
    """What an exception of a UDF becomes: it says which, and the line of its file at which the exception passed."""
    return NodeError(
        f"UDF {udf!r} raised {type(error).__name__}: {error}",
        where=f"{path}:{_line_in(error, path)}",
        found=found,
        fix=fix,
    )
