# ruff: noqa: TID253  -- tests of the folder that owns torch.
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import LlamaForCausalLM

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.checkpoint import check_complete, checkpoint_digest, load_vocabulary
from llm_i2i.lm.items import BOS, FIRST_ITEM
from llm_i2i.lm.open import backend_for, train_checkpoint
from llm_i2i.lm.settings import FromSizesSettings
from llm_i2i.lm.trainer import LogRow
from llm_i2i.lm.training.examples import encode_examples, make_batch, read_examples, vocabulary_for
from llm_i2i.lm.training.features import SummedEmbedding, item_features
from llm_i2i.lm.training.model import build_model, dropout, save_model
from llm_i2i.lm.training.schedule import learning_rate_schedule
from llm_i2i.lm.training.sft import ItemLoss, answers_of, planned_epochs, private_torch_state

Tiny = Callable[..., FromSizesSettings]


def with_weights(sequences: pa.Table, weight: float) -> pa.Table:
    weights = [[0.0] + [weight] * (len(row) - 1) for row in sequences["completions"].to_pylist()]
    return sequences.set_column(2, "weights", pa.array(weights, pa.list_(pa.float64())))


def train(
    folder: Path, rows: pa.Table, settings: FromSizesSettings, **options: object
) -> list[LogRow]:
    return train_checkpoint(rows, folder, settings, **options)  # type: ignore[arg-type]


def test_same_seed_same_bytes(tmp_path: Path, sequences: pa.Table, items: pa.Table, tiny: Tiny):
    settings = tiny(full_softmax_items=0, sampled_negatives=5)
    digests = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(tmp_path / name, sequences, settings, items=items, random_seed=seed)
        digests.append(checkpoint_digest(tmp_path / name))
    assert digests[0] == digests[1] != digests[2]


def test_a_training_ends_once_it_has_seen_enough_targets_of_each_item(
    sequences: pa.Table, tiny: Tiny
):
    """As many whole epochs as fit, then a part of one, whose rows are drawn by the seed."""
    raw = read_examples(sequences)
    vocabulary = vocabulary_for(raw, None, None)
    examples = encode_examples(raw, vocabulary, 50)

    def seen(epochs: list[list[np.ndarray]]) -> list[float]:
        return [sum(float(make_batch(examples, rows).n_targets) for rows in one) for one in epochs]

    def planned(**settings: int) -> list[float]:
        one = tiny(epochs=3, batch_size=4, **settings)
        return seen(planned_epochs(examples, one, np.random.default_rng(1), vocabulary.n_items))

    whole = planned()
    assert len(whole) == 3
    per_item = int(1.5 * whole[0] / vocabulary.n_items)
    first, part = planned(targets_per_item=per_item)
    assert first == whole[0]
    assert 0 < part < whole[0]
    assert first + part >= per_item * vocabulary.n_items
    assert planned(targets_per_item=10**6) == whole
    assert planned_epochs(
        examples, tiny(epochs=3, targets_per_item=1), np.random.default_rng(1), 0
    )[2:]


def test_threads_do_not_race_in_the_gradient_of_rows():
    """Many places add to the gradient of the same row; in which order is up to the threads unless torch is told otherwise."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, 40, (20_000,), generator=generator)
    outer = torch.randn(20_000, 64, generator=generator)
    found = set()
    for _ in range(20):
        weights = torch.zeros(4_000, 64, requires_grad=True)
        with private_torch_state(seed=1, threads=2):
            weights[tokens].backward(outer)
        assert weights.grad is not None
        found.add(weights.grad.numpy().tobytes())
    assert len(found) == 1


def test_training_leaves_torch_as_it_was(folder: Path, sequences: pa.Table, tiny: Tiny):
    torch.manual_seed(3)
    assert not torch.are_deterministic_algorithms_enabled()
    threads, precision = torch.get_num_threads(), torch.backends.mkldnn.matmul.fp32_precision
    before = torch.get_rng_state()
    train(folder, sequences, tiny())
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()
    assert (torch.get_num_threads(), torch.backends.mkldnn.matmul.fp32_precision) == (
        threads,
        precision,
    )


def test_it_learns_the_walk(folder: Path, sequences: pa.Table, items: pa.Table, tiny: Tiny):
    log = train(folder, sequences, tiny(epochs=40, learning_rate=1e-2, dropout=0.0), items=items)
    assert log[-1].loss < 0.6 * log[0].loss
    best = backend_for(folder).top_items(["Recent <i_4> <i_5>", "Recent <i_7> <i_8> <i_9>"], 1)
    assert [row[0][0] for row in best] == ["<i_6>", "<i_10>"]


def test_it_learns_to_judge(folder: Path, questions: pa.Table, tiny: Tiny):
    train(folder, questions, tiny(epochs=60, learning_rate=1e-2, dropout=0.0))
    assert check_complete(folder).labels == ("No", "Yes")
    yes = backend_for(folder).label_probabilities(questions["prompt"].to_pylist(), ["Yes", "No"])[
        :, 0
    ]
    assert (yes[::2] > 0.7).all()
    assert (yes[1::2] < 0.5).all()


def test_the_log(folder: Path, sequences: pa.Table, tiny: Tiny):
    calls: list[tuple[float, float, str]] = []
    log = train(folder, sequences, tiny(epochs=2), progress=lambda *call: calls.append(call))
    assert [row.step for row in log] == list(range(1, 1 + len(log)))
    assert len(log) == pytest.approx(6, abs=2)  # 24 rows in batches of about 8, twice
    assert log[-1].epoch == 2.0
    assert calls[-1] == (len(log), len(log), f"loss {log[-1].loss:.2f}")
    assert all(0 < row.learning_rate <= 2e-3 for row in log)


def first_loss(rows: pa.Table, settings: FromSizesSettings) -> float:
    raw = read_examples(rows)
    vocabulary = vocabulary_for(raw, None, None)
    examples = encode_examples(raw, vocabulary, settings.max_length)
    torch.manual_seed(0)
    model = build_model(settings, len(vocabulary.words))
    embedding = SummedEmbedding(torch.randn(len(vocabulary.words), settings.hidden_size), None)
    answers = answers_of(raw, vocabulary)
    module = ItemLoss(model.eval(), embedding, settings, answers, vocabulary.n_items)
    batch = make_batch(examples, np.arange(len(examples)))
    return (module(batch) / batch.n_targets).item()


def test_one_target_a_row_has_the_loss_of_a_full_pass(
    questions: pa.Table, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
):
    """With prompts of unequal length, and blanks beside the targets."""
    words = ["a lot more words "] * 3 + [""] * (questions.num_rows - 3)
    prompts = [
        word + text for word, text in zip(words, questions["prompt"].to_pylist(), strict=True)
    ]
    rows = questions.set_column(0, "prompt", pa.array(prompts))
    short = first_loss(rows, tiny())

    def whole(
        model: LlamaForCausalLM, embedded: torch.Tensor, places: torch.Tensor
    ) -> torch.Tensor:
        states = model.model(inputs_embeds=embedded, use_cache=False).last_hidden_state
        return states[torch.arange(len(places)), places]

    monkeypatch.setattr("llm_i2i.lm.training.sft.states_at", whole)
    assert short == pytest.approx(first_loss(rows, tiny()), abs=1e-6)


def test_weight_one_is_the_unweighted_loss_of_a_plain_llama(sequences: pa.Table, tiny: Tiny):
    settings = tiny()
    rows = with_weights(sequences, 1.0)
    vocabulary = vocabulary_for(read_examples(rows), None, None)
    torch.manual_seed(0)
    model = build_model(settings, len(vocabulary.words)).eval()
    table = torch.randn(len(vocabulary.words), settings.hidden_size)
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(table)
    losses = []
    for prompt, walk in zip(
        rows["prompt"].to_pylist(), rows["completions"].to_pylist(), strict=True
    ):
        tokens = vocabulary.encode(f"{prompt} {' '.join(walk)}", 50)
        logits = model(torch.tensor([tokens])).logits[
            0, :, FIRST_ITEM : FIRST_ITEM + vocabulary.n_items
        ]
        log_p = logits.log_softmax(dim=-1)
        losses += [-log_p[at - 1, tokens[at] - FIRST_ITEM].item() for at in range(3, len(tokens))]
    assert first_loss(rows, settings) == pytest.approx(np.mean(losses), rel=1e-5)
    assert first_loss(with_weights(rows, 4.0), settings) == pytest.approx(
        4 * np.mean(losses), rel=1e-5
    )


def test_folded_features_are_a_plain_llama(
    folder: Path, sequences: pa.Table, items: pa.Table, tiny: Tiny
):
    settings = tiny()
    vocabulary = vocabulary_for(read_examples(sequences), items, None)
    torch.manual_seed(0)
    model = build_model(settings, len(vocabulary.words)).eval()
    embedding = SummedEmbedding(
        model.model.embed_tokens.weight.detach().clone(), item_features(items, vocabulary, settings)
    )
    with torch.no_grad():
        embedding.table.normal_()
    tokens = torch.tensor([[BOS, 4, 9, 16, 7]])
    inputs = embedding(tokens.flatten()).view(1, 5, -1)
    expected = model.model(inputs_embeds=inputs).last_hidden_state @ embedding.folded().T
    folder.mkdir()
    save_model(model, embedding.folded(), vocabulary, folder)
    plain = LlamaForCausalLM.from_pretrained(folder)
    logits = plain(tokens).logits
    torch.testing.assert_close(
        logits[..., 1:], expected[..., 1:], rtol=1e-4, atol=1e-5
    )  # <pad> is zeroed


def test_an_item_without_events_is_generated_through_its_features(
    folder: Path, sequences: pa.Table, items: pa.Table, tiny: Tiny
):
    # <i_new> has the features of <i_0>, which follows <i_11>.
    train(
        folder,
        sequences,
        tiny(epochs=40, learning_rate=1e-2, dropout=0.0, min_feature_items=2),
        items=items,
    )
    ranked = [token for token, _ in backend_for(folder).top_items(["Recent <i_10> <i_11>"], 13)[0]]
    assert ranked[0] == "<i_0>"
    assert "<i_new>" in ranked


def test_a_discriminator_starts_from_the_generator(
    tmp_path: Path, sequences: pa.Table, items: pa.Table, questions: pa.Table, tiny: Tiny
):
    generator, discriminator = tmp_path / "g", tmp_path / "d"
    train(generator, sequences, tiny(), items=items)
    train(discriminator, questions, tiny(epochs=1, learning_rate=1e-9), initial=generator)
    old = load_vocabulary(generator, check_complete(generator))
    new = load_vocabulary(discriminator, check_complete(discriminator))
    assert new.item_tokens == old.item_tokens
    assert {"Yes", "No", "candidate", "?", "Recent"} <= set(new.words)
    before, after = (
        LlamaForCausalLM.from_pretrained(f).state_dict() for f in (generator, discriminator)
    )
    shared = [w for w in old.words if w != "<pad>"]
    torch.testing.assert_close(
        after["model.embed_tokens.weight"][[new.ids[w] for w in shared]],
        before["model.embed_tokens.weight"][[old.ids[w] for w in shared]],
    )
    name = "model.layers.1.mlp.up_proj.weight"
    torch.testing.assert_close(after[name], before[name])


def test_an_initial_checkpoint_of_another_shape(
    tmp_path: Path, sequences: pa.Table, questions: pa.Table, tiny: Tiny
):
    train(tmp_path / "g", sequences, tiny(epochs=1))
    with pytest.raises(LlmI2iError, match="another shape"):
        train(tmp_path / "d", questions, tiny(hidden_size=32), initial=tmp_path / "g")


def test_answers_of_many_words(folder: Path, tiny: Tiny):
    rows = pa.table(
        {
            "prompt": [f"say {n}" for n in range(12)],
            "completion": [f"word {n}" for n in range(12)],
            "weight": [1.0] * 12,
        }
    )
    log = train(folder, rows, tiny(epochs=30, learning_rate=1e-2, dropout=0.0))
    assert check_complete(folder).kind == "completion"
    assert log[-1].loss < 0.5 * log[0].loss


def test_labels_that_are_items(folder: Path, items: pa.Table, tiny: Tiny):
    # Sorted by word <i_10> comes first, sorted by token id it comes last.
    rows = pa.table(
        {
            "prompt": ["left", "right"] * 8,
            "completion": ["<i_9>", "<i_10>"] * 8,
            "weight": [1.0] * 16,
        }
    )
    train(folder, rows, tiny(epochs=40, learning_rate=1e-2, dropout=0.0), items=items)
    left, right = backend_for(folder).label_probabilities(["left", "right"], ["<i_9>", "<i_10>"])
    assert left[0] > 0.8
    assert right[1] > 0.8


def test_rows_from_duckdb(folder: Path, tiny: Tiny):
    # SQL literals such as 4.0 are decimals, lists may come as large lists, tables in chunks.
    log = duckdb.sql(
        "select '' as prompt, ['<a>', '<b>', '<c>'] as completions, [0, 4.0, 1.0] as weights from range(5000)"
    ).to_arrow_table()
    items = duckdb.sql(
        "select unnest(['<a>', '<b>', '<c>']) as item_token, [{'name': 'toy', 'weight': 1.5}] as features"
    ).to_arrow_table()
    assert train(folder, log, tiny(epochs=1, batch_size=1000), items=items)


def test_learning_rate_rises_then_falls_as_a_cosine(tiny: Tiny):
    rate = learning_rate_schedule(tiny(warmup=0.1, learning_rate=1.0), 100)
    assert [rate(step) for step in (0, 9, 10)] == pytest.approx([0.1, 1.0, 1.0])
    assert rate(55) == pytest.approx(0.5)
    assert rate(99) < 0.01


def test_dropout_keeps_the_mean():
    torch.manual_seed(0)
    dropped = dropout(torch.ones(401, 101), 0.3)
    assert abs((dropped == 0).float().mean().item() - 0.3) < 0.01
    assert abs(dropped.mean().item() - 1.0) < 0.01
    assert torch.equal(dropout(torch.ones(3), 0.0), torch.ones(3))


def test_a_training_that_diverges_is_no_checkpoint(
    tmp_path: Path, sequences: pa.Table, items: pa.Table, tiny: Tiny
):
    with pytest.raises(LlmI2iError, match="diverged") as raised:
        train(tmp_path / "a", sequences, tiny(learning_rate=1e30, clip=1e30), items=items)
    assert "lower learning_rate" in raised.value.fix
    assert not (tmp_path / "a" / "llmi2i.json").exists()
