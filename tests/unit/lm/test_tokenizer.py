from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.history import cut_texts, history_entries
from llm_i2i.lm.tokenizer import TokenizerVocabulary, load_tokenizer_vocabulary
from tests.tiny_checkpoint import bpe_tokenizer

TEXTS = [
    "Kite Drum Acme Toys Shopper Recent products oldest first Next product ID Yes No candidate"
]
QUESTION = "Next product ID:"


def vocabulary(item_ids, items):
    return TokenizerVocabulary(bpe_tokenizer(TEXTS), items, item_ids)


VOCABULARIES = {
    "token": vocabulary("token", [f"<i_{n}>" for n in range(40)]),
    "text": vocabulary("text", [f"B{n:03d}" for n in range(40)]),
    "semantic": vocabulary("semantic", [f"<a_{n % 7}> <b_{n // 7}>" for n in range(40)]),
}


@pytest.mark.parametrize(("item_ids", "lengths"), [("token", {1}), ("semantic", {2})])
def test_items_of_one_length_need_no_end(item_ids, lengths):
    sequences = VOCABULARIES[item_ids].item_sequences
    assert {len(ids) for ids in sequences} == lengths
    assert VOCABULARIES[item_ids].end not in {ids[-1] for ids in sequences}


def test_items_of_unequal_length_are_closed_by_the_end():
    found = vocabulary("text", ["A", "Acme 7", "Acme"])
    assert {ids[-1] for ids in found.item_sequences} == {found.end}
    for token, ids in zip(found.item_tokens, found.item_sequences, strict=True):
        assert found.tokenizer.decode(ids[:-1]) == f" {token}"


@pytest.mark.parametrize("item_ids", list(VOCABULARIES))
def test_an_answer_is_what_the_tokenizer_makes_of_it_behind_the_prompt(item_ids):
    found = VOCABULARIES[item_ids]
    for text in [*found.item_tokens[:5], "Yes", "No thanks"]:
        whole = found.encode(f"{QUESTION} {text}", 200)
        assert whole == found.encode(QUESTION, 200) + found.answer(text)


def metaspace_tokenizer():
    """As Llama 2 writes: a blank is part of the word behind it, and a text begins with one."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Split(":", "isolated")]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS * 3 + [QUESTION, "B001 B002 B003"], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


@pytest.mark.parametrize(
    ("item_ids", "items"), [("token", ["<i_1>", "<i_2>"]), ("text", ["B001", "B002"])]
)
def test_a_tokenizer_that_begins_texts_with_a_blank(item_ids, items):
    found = TokenizerVocabulary(metaspace_tokenizer(), items, item_ids)
    for text in [*items, "Yes", "No"]:
        whole = found.encode(f"{QUESTION} {text}", 200)
        assert whole == found.encode(QUESTION, 200) + found.answer(text)
    assert found.tokenizer.convert_ids_to_tokens(found.answer("Yes")) == ["▁Yes"]
    if item_ids == "token":
        assert [len(ids) for ids in found.item_sequences] == [1, 1]


def test_spellings():
    found = VOCABULARIES["token"]
    spaced, plain = found.spellings("Yes")
    assert found.tokenizer.decode(spaced) == " Yes"
    assert found.tokenizer.decode(plain) == "Yes"
    assert found.spellings("<i_3>") == [found.answer("<i_3>")]


@pytest.mark.parametrize("item_ids", list(VOCABULARIES))
def test_saved_and_loaded(item_ids, tmp_path):
    found = VOCABULARIES[item_ids]
    found.save(tmp_path)
    loaded = load_tokenizer_vocabulary(tmp_path)
    assert loaded.item_sequences == found.item_sequences
    assert len(loaded.tokenizer) == len(found.tokenizer)
    prompt = f"1. [{found.item_tokens[3]}] Kite\n{QUESTION}"
    assert loaded.encode(prompt, 50) == found.encode(prompt, 50)


@pytest.mark.parametrize(
    ("item_ids", "items", "message"),
    [
        ("token", ["a b"], "is not one word"),
        ("text", ["a", " "], "is empty"),
        ("semantic", ["<a_1>", "<a_1>"], "comes twice"),
        ("text", ["a", "a "], "the same way"),
    ],
)
def test_bad_items(item_ids, items, message):
    with pytest.raises(LlmI2iError, match=message):
        _ = vocabulary(item_ids, items).item_sequences


def test_a_folder_without_items(tmp_path):
    with pytest.raises(LlmI2iError, match=r"no items\.json"):
        load_tokenizer_vocabulary(tmp_path)


# -- the history and what may be cut -------------------------------------------------------------------


def test_entries_are_numbered_lines_or_else_item_words():
    items = {"B1", "B 2", "x]y"}
    prompt = "Recent B1:\n1. [B1] Kite\n2. [x]y] Drum\n3. B 2\n4. [unknown] 3. B1\nNext:"
    assert [token for _, token in history_entries(prompt, items, 2)] == ["B1", "x]y", "B 2", None]
    inline = "B1  B 2 Candidate: x]y Answer:"
    found = history_entries(inline, items, 2)
    assert [(inline[a:b], token) for (a, b), token in found] == [
        ("B1  ", "B1"),
        ("B 2 ", "B 2"),
        ("x]y ", "x]y"),
    ]


def test_texts_are_cut_behind_their_ids():
    prompt = "1. [B1] Kite | Acme\n2. B7\nCandidate: [B2] Drum\nWill [it] end?"
    assert cut_texts(prompt, 3) == "1. [B1] Kit\n2. B7\nCandidate: [B2] Dru\nWill [it] end?"
    assert cut_texts(prompt, 0) == "1. [B1]\n2. B7\nCandidate: [B2]\nWill [it] end?"


def test_the_oldest_entries_go_first_and_no_more_than_needed():
    found = VOCABULARIES["token"]
    lines = [f"{n}. [<i_{n}>] Kite Drum" for n in range(1, 11)]
    prompt = "\n".join(["Recent products:", *lines, QUESTION])
    whole = len(found.encode(prompt, 1000))
    for max_length in range(40, whole):
        text = found.tokenizer.decode(found.encode(prompt, max_length))
        kept = [line for line in lines if line.split()[1] in text.replace(" <", "<")]
        assert kept == lines[len(lines) - len(kept) :]
        assert "Recent products:" in text
        longer = "\n".join(["Recent products:", *lines[len(lines) - len(kept) - 1 :], QUESTION])
        assert len(found.encode(longer, 1000)) > max_length


names = st.text("Kite Drum|[]0123456789.é<>", max_size=80).map(lambda t: " ".join(t.split()))


@settings(max_examples=300, deadline=None)
@given(
    item_ids=st.sampled_from(list(VOCABULARIES)),
    history=st.lists(st.tuples(st.integers(0, 39), names), min_size=1, max_size=12),
    candidate=st.none() | st.tuples(st.integers(0, 39), names),
    answer=st.integers(0, 39),
    form=st.sampled_from(["text", "ids", "inline"]),
    max_length=st.integers(60, 200),
)
def test_prompt_and_answer_fit_and_the_newest_entry_stays(
    item_ids, history, candidate, answer, form, max_length
):
    found = VOCABULARIES[item_ids]
    tokens = found.item_tokens
    if form == "inline":
        body = " ".join(tokens[number] for number, _ in history)
    else:
        body = "\n".join(
            f"{n}. [{tokens[number]}] {name}" if form == "text" else f"{n}. {tokens[number]}"
            for n, (number, name) in enumerate(history, start=1)
        )
    parts = ["Shopper: u1.", "Recent products, oldest first:", body]
    if candidate and form == "text":
        parts.append(f"Candidate: [{tokens[candidate[0]]}] {candidate[1]}")
    prompt = "\n".join([*parts, QUESTION])
    reply = found.answer(tokens[answer])
    ids = found.encode(prompt, max_length - len(reply))
    assert len(ids) + len(reply) <= max_length
    assert ids[0] == found.tokenizer.bos_token_id
    text = found.tokenizer.decode(ids + reply)
    shown = "".join(text.split())
    assert shown.endswith("".join(f"{QUESTION}{tokens[answer]}".split()))
    assert "".join(tokens[history[-1][0]].split()) in shown.removesuffix(tokens[answer])
    assert len(found.prompt_items(prompt)) == len({number for number, _ in history})
