"""Text embeddings: TF-IDF and SVD, and a real encoder of toy size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.texts import TextEmbedder, open_encoder
from tests.tiny_checkpoint import bpe_tokenizer, random_llama, save_weights

CORPUS = [
    "Red kite | Acme | Toys > Kites",
    "Blue kite | Acme | Toys > Kites",
    "Green kite | Zeta | Toys > Kites",
    "Snare drum | Boom | Music > Drums",
    "Bass drum | Boom | Music > Drums",
    "Small drum | Zeta | Music > Drums",
]


def test_alike_texts_lie_together():
    embed = TextEmbedder(CORPUS, size=4)
    vectors = embed(CORPUS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0)
    cosines = vectors @ vectors.T
    assert cosines[:3, :3].min() > 0.5 > cosines[:3, 3:].max()
    # Texts outside the corpus are read by its words.
    assert (embed(["A drum. From Boom!"]) @ vectors.T).argmax() in (3, 4)
    assert not embed(["", "words nobody knows"]).any()


def test_a_text_is_embedded_alike_in_any_company():
    embed = TextEmbedder(CORPUS, size=4)
    np.testing.assert_allclose(embed(CORPUS)[2], embed([CORPUS[2]])[0], atol=1e-12)
    again = TextEmbedder(CORPUS, size=4)(CORPUS)
    np.testing.assert_allclose(again @ again.T, embed(CORPUS) @ embed(CORPUS).T, atol=1e-9)


def test_full_width_keeps_the_cosines_of_tfidf():
    counts = {"a b": 2.0, "b c": 2.0}
    texts = ["a b", "a b c", "b c", "d"]
    vectors = TextEmbedder(texts, size=50)(texts)
    # Terms of two texts or more: a, b, c, `a b`, `b c`; d stands alone and is unknown.
    idf = {"a": np.log(2), "b": np.log(4 / 3), "c": np.log(2), "a b": np.log(2), "b c": np.log(2)}
    assert set(counts) < set(idf)
    one = {"a", "b", "a b"}
    two = set(idf)
    length = [np.sqrt(sum(idf[t] ** 2 for t in terms)) for terms in (one, two)]
    expected = sum(idf[t] ** 2 for t in one & two) / length[0] / length[1]
    assert vectors[0] @ vectors[1] == pytest.approx(expected)
    assert not vectors[3].any()


@pytest.mark.parametrize("corpus", [[], ["kite"], ["kite", "drum"], ["kite", "kite"]])
def test_a_corpus_that_says_nothing(corpus: list[str]):
    assert not TextEmbedder(corpus, size=4)(["kite", "drum"]).any()


@pytest.fixture
def causal(tmp_path: Path):
    """A random Llama in the folder `encoder`, and its tokenizer."""
    pytest.importorskip("torch")
    tokenizer = bpe_tokenizer(CORPUS)
    model = random_llama(len(tokenizer))
    folder = tmp_path / "encoder"
    folder.mkdir()
    save_weights(model, folder)
    tokenizer.save_pretrained(folder)
    return model, tokenizer


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_an_encoder_is_pooled_without_its_padding(causal, pooling: str, tmp_path: Path):
    import torch

    model, tokenizer = causal
    encoder = open_encoder("encoder", pooling=pooling, base_dir=tmp_path)
    longer = "a much longer text than all of the others, about nothing at all"
    vectors = encoder.embed([*CORPUS, longer, " "])
    assert vectors.shape == (8, 32)
    assert not vectors[7].any(), "nothing is known of a text without words"
    with torch.inference_mode():
        tokens = tokenizer(CORPUS[0], return_tensors="pt")["input_ids"]
        states = model.base_model(input_ids=tokens).last_hidden_state[0].numpy()
    expected = states.mean(axis=0) if pooling == "mean" else states[-1]
    np.testing.assert_allclose(vectors[0], expected / np.linalg.norm(expected), atol=1e-5)
    assert open_encoder("encoder", pooling=pooling, base_dir=tmp_path) is encoder


def test_the_fake_encoder_reads_words():
    red, kite, drum, nothing = open_encoder("fake").embed(["Red kite", "red, kite!", "drum", "-"])
    np.testing.assert_allclose(red, kite)
    assert red @ drum < 0.9
    assert not nothing.any()


def test_an_unknown_pooling():
    with pytest.raises(LlmI2iError, match="pooling"):
        open_encoder("fake", pooling="max")


def test_an_encoder_that_is_not_there(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(LlmI2iError, match="cannot be loaded"):
        TextEmbedder([], encoder="empty", base_dir=tmp_path)
