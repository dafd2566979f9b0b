from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from llm_i2i.udf.registry import UdfRegistry

TEXT = """
from llm_i2i.udf import scalar_udf

@scalar_udf(returns="VARCHAR")
def {name}(text: str) -> str:
    return text
"""


def test_what_python_kept_of_a_file_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(TEXT.format(name="first"))
    kept = Path(importlib.util.cache_from_source(str(file)))
    kept.parent.mkdir()
    kept.write_bytes(b"cut short")  # by a full disk
    assert list(UdfRegistry.load([tmp_path]).signatures) == ["first"]
    before = file.stat()
    file.write_text(TEXT.format(name="other"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert list(UdfRegistry.load([tmp_path]).signatures) == ["other"]
    assert kept.read_bytes() == b"cut short"
