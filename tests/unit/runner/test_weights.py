"""Other weights, tokenizers or chat templates under the same name are another model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_i2i.fingerprint import file_digest
from llm_i2i.lm.settings import PretrainedSettings, parse_settings
from llm_i2i.render.renderer import Renderer
from llm_i2i.runner.base.weights import weights_digests


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "llama"
    folder.mkdir()
    for name, text in {
        "config.json": "{}",
        "tokenizer.json": "{}",
        "chat_template.jinja": "{{ messages }}",
        "model.safetensors": "weights",
        "README.md": "words",
    }.items():
        (folder / name).write_text(text)
    return folder


def digests(tmp_path: Path, known: dict[str, Any] | None = None, **entry: Any) -> dict[str, str]:
    models = {"mine": {"pretrained": "llama", **entry}, "small": {"hidden_size": 8}}
    return weights_digests(models, tmp_path, file_digest, {} if known is None else known)


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "chat_template.jinja", "model.safetensors"]
)
def test_every_file_that_decides_an_answer_counts(tmp_path: Path, folder: Path, name: str) -> None:
    before = digests(tmp_path)
    (folder / name).write_text("other")
    assert before["llama"] != digests(tmp_path)["llama"]


def test_its_readme_and_its_place_do_not(tmp_path: Path, folder: Path) -> None:
    before = digests(tmp_path)
    (folder / "README.md").write_text("other words")
    folder.rename(tmp_path / "moved")
    assert digests(tmp_path, pretrained="moved") == {"moved": before["llama"]}


def test_a_name_on_the_hub_stands_for_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    cached = tmp_path / "hub" / "models--some--model"
    for commit in ("a" * 40, "b" * 40):
        (cached / "snapshots" / commit).mkdir(parents=True)
        (cached / "snapshots" / commit / "model.safetensors").write_text("weights")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("b" * 40)
    assert digests(tmp_path, pretrained="some/model") == {"some/model": "b" * 16}
    assert digests(tmp_path, pretrained="some/other") == {}


def test_weights_that_are_gone_keep_their_digest(tmp_path: Path, folder: Path) -> None:
    known: dict[str, Any] = {}
    here = digests(tmp_path, known)
    folder.rename(tmp_path / "away")
    assert digests(tmp_path, known) == here
    assert digests(tmp_path) == {}


def test_a_model_is_rendered_with_the_digest_of_its_weights() -> None:
    def rendered(**weights: str) -> PretrainedSettings:
        entry = {"pretrained": "llama", "tokenizer": "words"}
        renderer = Renderer(vars={}, language_models={"mine": entry}, weights=weights)
        sql = renderer.render_expression("{{ language_model('mine') }}", "here").sql
        settings = parse_settings(sql.strip("'"))
        assert isinstance(settings, PretrainedSettings)
        return settings

    assert rendered().weights == ""
    assert rendered(llama="1", other="9").weights == "1"
    assert rendered(llama="1", words="2").weights == "1+2"
