from __future__ import annotations

import pytest

from llm_i2i.errors import LlmI2iError, ProjectErrors
from llm_i2i.lm.settings import LanguageModelSettings, parse_settings


def test_left_out_settings_take_their_default():
    assert parse_settings('{"hidden_size": 128, "num_heads": 4}') == LanguageModelSettings(
        hidden_size=128, num_heads=4
    )


def test_unknown_setting_names_the_closest():
    with pytest.raises(LlmI2iError) as caught:
        parse_settings('{"hiden_size": 64}')
    error = caught.value
    assert "'hiden_size'" in error.what
    assert error.where == "language_model.hiden_size"
    assert "'hidden_size'" in error.found
    assert "hidden_size" in error.fix


def test_several_mistakes_come_together():
    with pytest.raises(ProjectErrors) as caught:
        parse_settings('{"epochs": 0, "dropout": 1.5, "colour": "red"}')
    assert len(caught.value.errors) == 3


@pytest.mark.parametrize("text", ["", "[]", "small", '{"epochs": 3'])
def test_not_an_object(text: str):
    with pytest.raises(LlmI2iError, match="not a JSON object"):
        parse_settings(text)


def test_heads_must_divide_the_width():
    with pytest.raises(LlmI2iError, match="evenly among the heads"):
        parse_settings('{"hidden_size": 10, "num_heads": 4}')
