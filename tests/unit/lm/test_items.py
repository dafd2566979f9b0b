from __future__ import annotations

import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.items import BOS, UNKNOWN, Vocabulary, build_vocabulary


@pytest.fixture
def vocabulary() -> Vocabulary:
    return build_vocabulary(["<i_2>", "<i_1>"], ["Recent", "?", "<i_1>"])


def test_items_come_first_in_their_order_then_sorted_words(vocabulary: Vocabulary):
    assert vocabulary.words == ("<pad>", "<s>", "</s>", "<unk>", "<i_2>", "<i_1>", "?", "Recent")
    assert vocabulary.item_tokens == ("<i_2>", "<i_1>")
    assert [vocabulary.words[i] for i in vocabulary.item_ids] == ["<i_2>", "<i_1>"]


def test_encode_begins_every_prompt_and_knows_no_other_words(vocabulary: Vocabulary):
    assert vocabulary.encode("Recent <i_1>\n <i_9>", 50) == [BOS, 7, 5, UNKNOWN]
    assert vocabulary.encode("", 50) == [BOS]


def test_truncation_drops_the_oldest_items_and_no_word(vocabulary: Vocabulary):
    tokens = vocabulary.encode("Recent <i_1> <i_2> <i_1> ?", 4)
    assert [vocabulary.words[t] for t in tokens] == ["<s>", "Recent", "<i_1>", "?"]


def test_truncation_of_words_alone_keeps_the_last(vocabulary: Vocabulary):
    tokens = vocabulary.encode("? ? Recent", 2)
    assert [vocabulary.words[t] for t in tokens] == ["<s>", "Recent"]


@pytest.mark.parametrize("token", ["", "two words", " <i_1>", "<pad>"])
def test_an_item_token_is_one_ordinary_word(token: str):
    with pytest.raises(LlmI2iError, match="is not one word"):
        build_vocabulary([token], [])


def test_an_item_comes_once():
    with pytest.raises(LlmI2iError, match="'b' comes twice"):
        build_vocabulary(["a", "b", "c", "b"], [])
