"""Writes the site: fixed assets, the index, and one small file a node that its page loads when it is opened.

The data are scripts, not JSON files: a page opened from a folder (file://) may load scripts, but not fetch.
"""

from __future__ import annotations

import json
import shutil
import uuid
from importlib.resources import files
from pathlib import Path
from typing import Any

from llm_i2i.docs_site.catalog import Catalog, read_catalog
from llm_i2i.errors import LlmI2iError
from llm_i2i.runner.project import Project


def generate(project: Project) -> Path:
    """Write the documentation of a project to `target/docs`, in one step; returns its index.html."""
    folder = project.target_dir / "docs"
    beside = project.target_dir / f".docs.{uuid.uuid4().hex[:8]}.tmp"
    catalog = read_catalog(project)
    try:
        write_site(catalog, beside)
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    except OSError as error:
        raise LlmI2iError(
            "the documentation cannot be written",
            where=str(folder),
            found=str(error),
            fix="close what has the folder open, or pass another --target-path",
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder / "index.html"


def write_site(catalog: Catalog, folder: Path) -> None:
    """Write all files of the site into a new folder."""
    (folder / "data" / "nodes").mkdir(parents=True)
    (folder / "assets").mkdir()
    for asset in files("llm_i2i.docs_site").joinpath("assets").iterdir():
        place = folder if asset.name == "index.html" else folder / "assets"
        (place / asset.name).write_bytes(asset.read_bytes())
    _write_script(folder / "data" / "index.js", "llmi2iDocs.index = ", catalog.index)
    for number, details in enumerate(catalog.nodes):
        path = folder / "data" / "nodes" / f"{number}.js"
        _write_script(path, f"llmi2iDocs.nodes[{number}] = ", details)
    for name, source in catalog.figures.items():
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(source, folder / name)


def _write_script(path: Path, assignment: str, value: Any) -> None:
    """A script that assigns a value: ASCII, and without a `<` that could end or begin a tag."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    path.write_text(
        f"window.llmi2iDocs=window.llmi2iDocs||{{nodes:{{}}}};{assignment}{text};\n",
        encoding="ascii",
    )
