from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import AddedToken

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.tokenizer import TokenizerVocabulary
from llm_i2i.lm.training.examples import read_examples
from llm_i2i.lm.training.pretrained import load_tokenizer
from llm_i2i.lm.training.targets import (
    TargetRows,
    batch_of,
    encode_targets,
    epoch_batches,
    item_tokens_for,
    parts_of,
    split_rows,
    training_kind,
)
from tests.tiny_llama import (
    ITEMS,
    OPEN_LIST,
    as_list,
    as_tokens,
    catalogue,
    llama_settings,
    next_items,
    open_walks,
    questions,
    walks,
    write_llama,
)


@pytest.fixture
def vocabulary(tmp_path: Path) -> TokenizerVocabulary:
    write_llama(tmp_path / "llama")
    return TokenizerVocabulary(load_tokenizer(llama_settings(), tmp_path), ITEMS, "text")


def encode(rows: pa.Table, vocabulary: TokenizerVocabulary, max_length: int = 200) -> TargetRows:
    return encode_targets(read_examples(rows), vocabulary, max_length)


def rows_of(targets: TargetRows) -> list[tuple[list[int], list[float]]]:
    e = targets.examples
    cuts = [slice(s, s + n) for s, n in zip(e.starts, e.lengths, strict=True)]
    return [(e.tokens[c].tolist(), e.weights[c].tolist()) for c in cuts]


def test_only_the_answer_is_a_target_and_its_weight_is_spread_over_its_tokens(
    vocabulary: TokenizerVocabulary,
):
    rows = next_items(4)
    for (tokens, weights), prompt, answer, weight in zip(
        rows_of(encode(rows, vocabulary)),
        *(rows[c].to_pylist() for c in rows.column_names),
        strict=True,
    ):
        spelled = [*vocabulary.answer(answer), vocabulary.end]
        assert tokens == vocabulary.encode(prompt, 200) + spelled
        assert len(spelled) > 2
        assert weights == pytest.approx(
            [0.0] * (len(tokens) - len(spelled)) + [weight / len(spelled)] * len(spelled)
        )


def test_a_row_counts_once_however_long_its_answer(vocabulary: TokenizerVocabulary):
    targets = encode(next_items(4), vocabulary)
    assert targets.counts == pytest.approx([1, 1, 1, 1])
    assert targets.sums == pytest.approx([4, 1, 1, 1])
    assert targets.divisor(np.array([0, 1]), "mean") == pytest.approx(2)
    assert targets.divisor(np.array([0, 1]), "weighted_mean") == pytest.approx(5)


def test_a_label_is_its_first_token(vocabulary: TokenizerVocabulary):
    (tokens, weights), *_ = rows_of(encode(questions(1), vocabulary))
    assert tokens[-1] == vocabulary.answer("Yes")[0]
    assert np.count_nonzero(weights) == 1


def test_labels_that_begin_alike(vocabulary: TokenizerVocabulary):
    rows = pa.table({"prompt": ["a", "b"], "completion": ["N1", "N2"], "weight": [1.0, 1.0]})
    with pytest.raises(LlmI2iError, match="begin with the same token"):
        encode(rows, vocabulary)


def test_few_items_are_no_labels():
    rows = pa.table({"prompt": ["a", "b"], "completion": ["x", "y"], "weight": [1.0, 1.0]})
    assert training_kind(read_examples(rows), []) == "labels"
    assert training_kind(read_examples(rows), ["x", "y", "z"]) == "completion"


def test_each_target_of_a_sequence_is_a_row_whose_prompt_ends_with_the_items_before(
    vocabulary: TokenizerVocabulary,
):
    rows = walks(2)
    found = rows_of(encode(rows, vocabulary))
    expected = []
    for prompt, walk in zip(
        rows["prompt"].to_pylist(), rows["completions"].to_pylist(), strict=True
    ):
        for at in range(1, len(walk)):
            text = " ".join([prompt, *walk[:at]])
            expected.append(
                [*vocabulary.encode(text, 200), *vocabulary.answer(walk[at]), vocabulary.end]
            )
    assert [tokens for tokens, _ in found] == expected
    assert encode(rows, vocabulary).origins.tolist() == [0, 0, 1, 1, 1]


def test_a_sequence_of_something_else_than_items(vocabulary: TokenizerVocabulary):
    rows = pa.table({"prompt": [""], "completions": [["sku 8"]], "weights": [[1.0]]})
    with pytest.raises(LlmI2iError, match="'sku 8' is not an item"):
        encode(rows, vocabulary)


def test_the_prompt_is_cut_and_never_the_answer(vocabulary: TokenizerVocabulary):
    long = pa.table({"prompt": ["many words " * 50], "completion": [ITEMS[0]], "weight": [1.0]})
    ((tokens, weights),) = rows_of(encode(long, vocabulary, max_length=20))
    spelled = [*vocabulary.answer(ITEMS[0]), vocabulary.end]
    assert len(tokens) - 1 == 20  # the last answer token is only ever a target
    assert tokens[0] == 1
    assert tokens[-len(spelled) :] == spelled
    assert np.count_nonzero(weights) == len(spelled)


def test_items_come_from_the_relation_then_from_what_is_known():
    raw = read_examples(walks())
    assert item_tokens_for(raw, catalogue(), ["old", ITEMS[0]]) == [*ITEMS, "old"]
    assert item_tokens_for(raw, None, ["old"]) == ["old"]
    assert item_tokens_for(raw, None, []) == sorted(ITEMS)


def test_order_is_a_function_of_seed_and_epoch():
    rows = np.arange(50)
    first = epoch_batches(rows, 8, seed=1, epoch=0)
    assert [b.tolist() for b in first] == [b.tolist() for b in epoch_batches(rows, 8, 1, 0)]
    assert sorted(np.concatenate(first).tolist()) == list(range(50))
    assert [len(batch) for batch in first] == [8] * 6 + [2]
    for other in (epoch_batches(rows, 8, 1, 1), epoch_batches(rows, 8, 2, 0)):
        assert other[0].tolist() != first[0].tolist()


@pytest.mark.parametrize("size", [16, 5, 1])
@pytest.mark.parametrize(("processes", "accumulation"), [(1, 1), (2, 1), (2, 4), (1, 8)])
def test_parts_of_all_processes_make_up_the_step(size: int, processes: int, accumulation: int):
    rows = np.arange(size)
    parts = [parts_of(rows, rank, processes, accumulation) for rank in range(processes)]
    assert all(len(own) == accumulation for own in parts)
    assert np.concatenate([part for own in parts for part in own]).tolist() == rows.tolist()


def test_a_part_without_rows_weighs_nothing(vocabulary: TokenizerVocabulary):
    batch = batch_of(encode(next_items(3), vocabulary).examples, np.array([], dtype=np.int64))
    assert batch.inputs.shape[0] == 1
    assert not batch.weights.any()


def test_the_split_keeps_a_row_of_the_table_whole(vocabulary: TokenizerVocabulary):
    targets = encode(walks(12), vocabulary)
    train, held_out = split_rows(targets, 0.25, seed=3)
    assert sorted([*train, *held_out]) == list(range(len(targets.examples)))
    assert len(set(targets.origins[held_out])) == 3
    assert not set(targets.origins[held_out]) & set(targets.origins[train])
    again = split_rows(targets, 0.25, seed=3)[1]
    assert again.tolist() == held_out.tolist()
    assert split_rows(targets, 0.25, seed=4)[1].tolist() != held_out.tolist()


def test_too_few_rows_to_split(vocabulary: TokenizerVocabulary):
    with pytest.raises(LlmI2iError, match="too few rows") as caught:
        split_rows(encode(next_items(4), vocabulary), 0.05, seed=1)
    assert caught.value.found == "4 rows, 0 of them held out"


class OneTokenEach(TokenizerVocabulary):
    def answer(self, text: str) -> list[int]:
        return [self.tokenizer.convert_tokens_to_ids(text)]


def test_a_sequence_of_single_tokens_is_one_row(tmp_path: Path):
    settings, table = llama_settings(item_ids="token"), as_tokens(walks(3))
    write_llama(tmp_path / "llama")
    tokenizer = load_tokenizer(settings, tmp_path)
    items = as_tokens(catalogue())["item_token"].to_pylist()
    vocabulary = OneTokenEach(tokenizer, items, "token")
    # The space before an item must not be a token of its own behind a prompt.
    tokenizer.add_tokens([AddedToken(item, lstrip=True, normalized=False) for item in items])
    spelled = {item: tokenizer.convert_tokens_to_ids(item) for item in items}
    for (tokens, weights), row in zip(
        rows_of(encode(table, vocabulary)), table.to_pylist(), strict=True
    ):
        head = vocabulary.encode(row["prompt"], 200)
        assert tokens == head + [spelled[item] for item in row["completions"]]
        assert weights == [0.0] * len(head) + row["weights"]
    # In pieces: each item is a target once, behind the item before it.
    head = len(vocabulary.encode("Recent products:", 200))
    short = rows_of(encode(table, vocabulary, max_length=head + 1))
    assert [weights for _, weights in short] == [
        [0.0] * head + [0.0, weight] for row in table.to_pylist() for weight in row["weights"][1:]
    ]
    assert [tokens[head:] for tokens, _ in short] == [
        [spelled[before], spelled[item]]
        for row in table.to_pylist()
        for before, item in pairwise(row["completions"])
    ]


# -- lists that are continued line by line -----------------------------------------------------------------------------


@pytest.fixture
def lists(tmp_path: Path) -> TokenizerVocabulary:
    write_llama(tmp_path / "llama")
    tokenizer = load_tokenizer(llama_settings(), tmp_path)
    return TokenizerVocabulary(tokenizer, ITEMS, "text", is_list=True)


def test_a_user_is_one_row_and_its_prefixes_are_the_prompts(lists: TokenizerVocabulary):
    table = open_walks(3)
    found = rows_of(encode(table, lists))
    assert len(found) == 3
    for (tokens, weights), row in zip(found, table.to_pylist(), strict=True):
        products = row["completions"]
        for place, (product, weight) in enumerate(zip(products, row["weights"], strict=True)):
            prompt = lists.encode(as_list(products[:place]), 200)
            answer = [*lists.answer(product), lists.end]
            assert tokens[: len(prompt) + len(answer)] == prompt + answer
            own = weights[len(prompt) : len(prompt) + len(answer)]
            assert sum(own) == pytest.approx(weight)
        assert np.count_nonzero(weights) == sum(len(lists.answer(p)) + 1 for p in products[1:])


def test_a_long_user_is_cut_between_products_and_each_is_a_target_once(lists: TokenizerVocabulary):
    products = [ITEMS[n] for n in (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5)]
    weights = [0.0, *(float(n) for n in range(1, len(products)))]
    table = pa.table({"prompt": [OPEN_LIST], "completions": [products], "weights": [weights]})
    (whole,) = rows_of(encode(table, lists))
    head = lists.encode(OPEN_LIST, 200)
    for max_length in range(len(head) + 12, len(whole[0])):
        found = rows_of(encode(table, lists, max_length))
        shares = []
        for tokens, row_weights in found:
            assert len(tokens) - 1 <= max_length
            assert tokens[: len(head)] == head
            text = lists.tokenizer.decode(tokens[len(head) :])
            lines = [line.strip() for line in text.rstrip("\n").split("\n-")]
            assert "|".join(lines) in "|".join(products)
            assert row_weights[len(head)] == 0.0  # the first has no history
            shares += [w for w in row_weights if w]
        assert sum(shares) == pytest.approx(sum(weights))


def test_code_words_are_one_pass(tmp_path: Path):
    write_llama(tmp_path / "llama")
    tokenizer = load_tokenizer(llama_settings(), tmp_path)
    codes = [f"<a_{n % 3}> <b_{n // 3}>" for n in range(9)]
    vocabulary = TokenizerVocabulary(tokenizer, codes, "semantic")
    table = pa.table(
        {"prompt": ["", ""], "completions": [codes[:3], codes[4:6]], "weights": [[0.0, 4.0, 1.0], [0.0, 1.0]]}
    )  # fmt: skip
    (first, weights), (second, _) = rows_of(encode(table, vocabulary))
    assert first == vocabulary.encode(" ".join(codes[:3]), 200)
    assert second == vocabulary.encode(" ".join(codes[4:6]), 200)
    assert weights[-4:] == [2.0, 2.0, 0.5, 0.5]
