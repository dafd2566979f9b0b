# ruff: noqa: TID253  -- tests of the folder that owns torch.
from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    CohereConfig,
    Gemma2Config,
    GraniteConfig,
    PhiConfig,
    PreTrainedConfig,
)

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.checkpoint import WEIGHTS, check_complete, load_vocabulary
from llm_i2i.lm.history import is_open_list
from llm_i2i.lm.inference.transformers import TransformersBackend
from llm_i2i.lm.settings import PretrainedSettings
from llm_i2i.lm.tokenizer import load_tokenizer_vocabulary
from llm_i2i.lm.trainer import LogRow
from llm_i2i.lm.training import causal
from llm_i2i.lm.training.causal import AnswerLoss, competing_tokens
from llm_i2i.lm.training.examples import Batch, Examples, make_batch, read_examples
from llm_i2i.lm.training.job import TrainingJob
from llm_i2i.lm.training.loop import TrainingLoop
from llm_i2i.lm.training.pretrained import (
    add_rows,
    attention_for,
    item_vocabulary,
    load_model,
    load_tokenizer,
    merged,
    with_lora,
)
from llm_i2i.lm.training.strategies import PlainStrategy
from llm_i2i.lm.training.targets import TargetRows, encode_targets, split_by_tokens
from llm_i2i.lm.training.worker import run_job
from tests.tiny_llama import (
    as_list,
    as_tokens,
    catalogue,
    item,
    llama_settings,
    next_items,
    open_walks,
    questions,
    walks,
    write_llama,
)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with the toy model in `llama/`."""
    write_llama(tmp_path / "llama")
    return tmp_path


def train(
    base: Path,
    rows: pa.Table,
    settings: PretrainedSettings,
    name: str = "out",
    *,
    initial: Path | None = None,
    seed: int = 42,
) -> list[LogRow]:
    """Train in this process."""
    folder = base / name
    folder.mkdir()
    items = pa.table({"item_token": items_of(settings)})
    job = TrainingJob(rows, items, settings, initial, seed, folder, base / f"{name}-states", base)
    return run_job(job)


def items_of(settings: PretrainedSettings) -> list[str]:
    items = as_tokens(catalogue()) if settings.item_ids == "token" else catalogue()
    return items["item_token"].to_pylist()  # type: ignore[no-any-return]


def prepared(
    base: Path, rows: pa.Table, settings: PretrainedSettings
) -> tuple[AnswerLoss, TargetRows]:
    """An untrained model and the encoded rows."""
    torch.manual_seed(0)
    tokenizer = load_tokenizer(settings, base)
    raw = read_examples(rows)
    vocabulary, added = item_vocabulary(
        tokenizer, items_of(settings), settings, is_list=is_open_list(raw.prompts[0])
    )
    model = load_model("llama", settings, base)
    add_rows(model, len(tokenizer), added)
    return AnswerLoss(model), encode_targets(raw, vocabulary, settings.max_length)


def loss_of(module: AnswerLoss, targets: TargetRows, normalise: str = "mean") -> float:
    rows = np.arange(len(targets.examples))
    with torch.no_grad():
        total = module(make_batch(targets.examples, rows)).item()
    return float(total) / targets.divisor(rows, normalise)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / WEIGHTS)  # type: ignore[no-any-return]


# -- the loss -------------------------------------------------------------------------------------------------------------


def test_a_batch_of_two_by_hand(base: Path):
    rows = next_items(2)  # weights 4 and 1
    module, targets = prepared(base, rows, llama_settings())
    tokenizer = AutoTokenizer.from_pretrained(base / "llama")
    means = []
    for prompt, answer in zip(
        rows["prompt"].to_pylist(), rows["completion"].to_pylist(), strict=True
    ):
        ids = tokenizer(prompt)["input_ids"]
        spelled = tokenizer(" " + answer, add_special_tokens=False)["input_ids"] + [2]
        log_p = module.model(torch.tensor([ids + spelled])).logits[0].log_softmax(dim=-1)
        means.append(
            -sum(log_p[len(ids) - 1 + k, token].item() for k, token in enumerate(spelled))
            / len(spelled)
        )
    assert loss_of(module, targets) == pytest.approx((4 * means[0] + means[1]) / 2, rel=1e-5)
    assert loss_of(module, targets, "weighted_mean") == pytest.approx(
        (4 * means[0] + means[1]) / 5, rel=1e-5
    )


def test_known_logits_give_a_known_loss(base: Path):
    # Without an output layer every token is equally likely: the loss is the weight times ln(vocabulary).
    module, targets = prepared(base, next_items(2), llama_settings())
    torch.nn.init.zeros_(module.model.lm_head.weight)
    size = module.model.config.vocab_size
    assert loss_of(module, targets) == pytest.approx((4 + 1) / 2 * math.log(size), rel=1e-6)


def test_weight_one_is_the_unweighted_loss(base: Path):
    rows = next_items(6)
    ones = rows.set_column(2, "weight", pa.array([1.0] * 6))
    fours = rows.set_column(2, "weight", pa.array([4.0] * 6))
    module, targets = prepared(base, ones, llama_settings())
    tokenizer = AutoTokenizer.from_pretrained(base / "llama")
    plain = []
    for prompt, answer in zip(
        rows["prompt"].to_pylist(), rows["completion"].to_pylist(), strict=True
    ):
        ids = tokenizer(prompt)["input_ids"]
        spelled = tokenizer(" " + answer, add_special_tokens=False)["input_ids"] + [2]
        tokens = torch.tensor([ids + spelled])
        labels = torch.tensor([[-100] * len(ids) + spelled])
        plain.append(module.model(tokens, labels=labels).loss.item())  # transformers' own loss
    assert loss_of(module, targets) == pytest.approx(np.mean(plain), rel=1e-5)
    _, heavy = prepared(base, fours, llama_settings())
    assert loss_of(module, heavy) == pytest.approx(4 * np.mean(plain), rel=1e-5)
    assert loss_of(module, heavy, "weighted_mean") == pytest.approx(np.mean(plain), rel=1e-5)


def test_padding_and_company_do_not_change_a_row(base: Path):
    rows = pa.concat_tables([next_items(5), questions(1).slice(0, 1)])
    module, targets = prepared(base, rows, llama_settings())
    with torch.no_grad():
        together = module(make_batch(targets.examples, np.arange(6))).item()
        alone = [module(make_batch(targets.examples, np.array([row]))).item() for row in range(6)]
    assert together == pytest.approx(sum(alone), rel=1e-5)


@pytest.mark.parametrize("lora", [None, {"rank": 2}])
def test_logits_of_few_tokens_at_a_time_change_nothing(
    base: Path, lora: dict[str, int] | None, monkeypatch: pytest.MonkeyPatch
):
    settings = llama_settings(lora=lora)
    module, targets = prepared(base, next_items(20), settings)
    model = module.model if lora is None else with_lora(module.model, settings, train_embeddings=True)  # fmt: skip
    module, rows = AnswerLoss(model), np.arange(20)
    found = []
    for most in (10**9, 3 * 320):
        monkeypatch.setattr(causal, "VALUES_AT_ONCE", most)
        module.zero_grad()
        loss = module(make_batch(targets.examples, rows))
        loss.backward()
        gradients = [p.grad.clone() for p in module.parameters() if p.grad is not None]
        found.append((loss.item(), gradients))
    (whole, whole_gradients), (parts, gradients) = found
    assert parts == pytest.approx(whole, rel=1e-5)
    for one, other in zip(gradients, whole_gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


SIZES = {
    "vocab_size": 40, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip


@pytest.mark.parametrize(
    "config",
    [
        CohereConfig(**SIZES, logit_scale=0.3),
        GraniteConfig(**SIZES, logits_scaling=4.0),
        Gemma2Config(**SIZES, final_logit_softcapping=0.5, query_pre_attn_scalar=8),
        PhiConfig(**SIZES),  # its output layer has a bias
    ],
    ids=lambda config: config.model_type,
)
def test_the_loss_is_that_of_the_models_own_logits(config: PreTrainedConfig):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    inputs = torch.tensor([[3, 7, 5, 9], [4, 8, 6, 11]])
    batch = Batch(inputs.numpy(), np.array([1, 6]), np.array([5, 11]), np.array([1.0, 2.0], np.float32), 2.0, np.ones((2, 4), bool))  # fmt: skip
    with torch.no_grad():
        own = model(input_ids=inputs).logits.log_softmax(dim=-1)
        found = AnswerLoss(model)(batch).item()
    assert found == pytest.approx(-(own[0, 1, 5] + 2 * own[1, 2, 11]).item(), rel=1e-4)


def test_a_sequence_in_one_pass_is_its_targets_one_by_one(base: Path):
    settings, table = llama_settings(item_ids="token"), as_tokens(walks(6))
    module, targets = prepared(base, table, settings)
    one_each = []
    for row in table.to_pylist():
        walk = row["completions"]
        for at, weight in list(enumerate(row["weights"]))[1:]:
            text = " ".join([row["prompt"], *walk[:at]])
            one_each.append({"prompt": text, "completion": walk[at], "weight": weight})
    _, apart = prepared(base, pa.Table.from_pylist(one_each), settings)
    assert loss_of(module, targets) == pytest.approx(loss_of(module, apart), rel=1e-5)


@pytest.mark.parametrize("item_ids", ["text", "token"])
def test_a_users_row_has_the_losses_of_its_prompts(base: Path, item_ids: str):
    """Eq. 2 in one row a user (`by_user`) and in one row a target (`by_position`): same history, same loss of each target."""
    settings, table = llama_settings(item_ids=item_ids), open_walks()
    table = as_tokens(table) if item_ids == "token" else table
    module, whole = prepared(base, table, settings)
    assert len(whole.examples) == len(table)
    vocabulary, _ = item_vocabulary(
        load_tokenizer(settings, base), items_of(settings), settings, is_list=True
    )

    def loss(row: dict[str, object]) -> float:
        raw = read_examples(pa.Table.from_pylist([row]))
        return loss_of(module, encode_targets(raw, vocabulary, settings.max_length))

    apart = []
    for row in table.to_pylist():
        for at, weight in enumerate(row["weights"]):
            if weight:
                asked = {
                    "prompt": as_list(row["completions"][:at]),
                    "completions": [row["completions"][at]],
                    "weights": [weight],
                }
                only = {
                    **row,
                    "weights": [weight if n == at else 0.0 for n in range(len(row["weights"]))],
                }
                apart.append(loss(asked))
                assert loss(only) == pytest.approx(apart[-1], abs=1e-4)
    assert loss_of(module, whole) == pytest.approx(np.mean(apart), abs=1e-4)


def test_a_users_row_learns_and_answers(base: Path):
    """Trained on one row a user, the checkpoint is asked in the same format and knows what comes next."""
    table = open_walks(24)
    log = train(base, table, llama_settings(epochs=40, chat="auto"))
    assert log[-1].loss < 0.3 * log[0].loss
    vocabulary = load_tokenizer_vocabulary(base / "out")
    assert vocabulary.is_list
    backend = TransformersBackend(base / "out")
    prompt = f"{table['prompt'][0]} {item(1)}\n- {item(2)}\n-"
    ((best, _), *_others) = backend.top_items([prompt], 3)[0]
    assert best == item(3)


# -- training -------------------------------------------------------------------------------------------------------------


def test_it_learns_the_next_item(base: Path):
    log = train(base, next_items(), llama_settings(epochs=40, precision="bfloat16"))
    assert log[-1].loss < 0.2 * log[0].loss
    model = AutoModelForCausalLM.from_pretrained(base / "out")
    assert model.dtype == torch.bfloat16
    vocabulary = load_tokenizer_vocabulary(base / "out")
    ids = torch.tensor([vocabulary.encode(f"Recent products: {item(3)}, {item(4)}. Next:", 200)])
    said = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False
    )
    assert vocabulary.tokenizer.decode(
        said[0, ids.shape[1] :], skip_special_tokens=True
    ).strip() == item(5)


def test_the_checkpoint_is_plain_files_without_a_machines_path(base: Path):
    train(base, next_items(), llama_settings())
    folder = base / "out"
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "items.json", "llmi2i.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    metadata = check_complete(folder)
    assert (metadata.vocabulary, metadata.kind, metadata.n_items) == ("tokenizer", "completion", 12)
    assert metadata.settings == llama_settings(precision="float32")
    assert json.loads((folder / "items.json").read_text())["item_ids"] == "text"
    for path in folder.iterdir():
        assert str(base).encode() not in path.read_bytes()
    with pytest.raises(LlmI2iError, match="tokenizer of its own"):
        load_vocabulary(folder, metadata)


def test_same_seed_same_weights(base: Path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(base, next_items(), llama_settings(), name, seed=seed)
    a, b, c = ((base / name / WEIGHTS).read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize("values", [{"gradient_accumulation": 4}, {"gradient_checkpointing": True}])
def test_saving_memory_changes_nothing(base: Path, values: dict[str, object]):
    # 42 rows in steps of 8: the last step has fewer rows than parts.
    plain = train(base, next_items(42), llama_settings(epochs=2), "plain")
    other = train(base, next_items(42), llama_settings(epochs=2, **values), "other")
    assert [row.loss for row in other] == pytest.approx([row.loss for row in plain], rel=1e-4)


def test_the_log(base: Path):
    log = train(base, next_items(), llama_settings(epochs=2))
    assert [row.step for row in log] == list(range(1, 11))
    assert log[-1].epoch == 2.0
    assert all(row.validation_loss is None for row in log)
    assert all(0 <= row.learning_rate <= 1e-2 for row in log)


def test_a_discriminator_starts_from_the_generator(base: Path):
    train(base, as_tokens(walks()), llama_settings(item_ids="token"), "generator")
    settings = llama_settings(item_ids="token", learning_rate=1e-12)
    train(base, as_tokens(questions()), settings, "judge", initial=base / "generator")
    assert check_complete(base / "judge").labels == ("No", "Yes")
    assert load_tokenizer_vocabulary(base / "judge").item_tokens == tuple(items_of(settings))
    before, after = weights_of(base / "generator"), weights_of(base / "judge")
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor)


# -- new rows, LoRA --------------------------------------------------------------------------------------------------------


def test_rows_of_added_items_start_near_the_mean_of_the_old_ones(base: Path):
    settings = llama_settings(item_ids="token")
    tokenizer = load_tokenizer(settings, base)
    old_size = len(tokenizer)
    _, added = item_vocabulary(tokenizer, items_of(settings), settings)
    model = load_model("llama", settings, base)
    before = model.get_output_embeddings().weight.detach().clone()
    torch.manual_seed(1)
    add_rows(model, len(tokenizer), added)
    assert added == list(range(old_size, len(tokenizer)))
    assert added
    for table in (model.get_input_embeddings().weight, model.get_output_embeddings().weight):
        new, old = table[added].detach(), table[:old_size].detach()
        assert table.shape[0] == len(tokenizer)
        distance = (new - old.mean(dim=0)).std().item()
        assert distance == pytest.approx(0.1 * old.std().item(), rel=0.3)
        assert len({tuple(row.tolist()) for row in new}) == len(added)
    torch.testing.assert_close(model.get_output_embeddings().weight[:old_size], before)


@pytest.mark.parametrize("item_ids", ["text", "token"])
def test_lora_merged_equals_unmerged(base: Path, item_ids: str, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("peft", reason="needs the lora extra")
    settings = llama_settings(epochs=4, item_ids=item_ids, lora={"rank": 4, "alpha": 8})
    losses = []

    def spy(model: torch.nn.Module) -> torch.nn.Module:
        with torch.no_grad():
            losses.append(model.eval()(torch.arange(20)[None]).logits)
        return merged(model)  # type: ignore[no-any-return]

    monkeypatch.setattr("llm_i2i.lm.training.worker.merged", spy)
    rows = as_tokens(next_items()) if item_ids == "token" else next_items()
    log = train(base, rows, settings)
    assert log[-1].loss < 0.9 * log[0].loss
    plain = AutoModelForCausalLM.from_pretrained(base / "out")
    assert not [name for name in weights_of(base / "out") if "lora" in name]
    with torch.no_grad():
        torch.testing.assert_close(
            plain(torch.arange(20)[None]).logits, losses[0], atol=1e-5, rtol=1e-4
        )


def test_lora_trains_its_adapters_only(base: Path):
    pytest.importorskip("peft", reason="needs the lora extra")
    settings = llama_settings(lora={"rank": 2})
    model = with_lora(load_model("llama", settings, base), settings, train_embeddings=False)
    assert all("lora_" in name for name, p in model.named_parameters() if p.requires_grad)
    model = with_lora(load_model("llama", settings, base), settings, train_embeddings=True)
    others = [n for n, p in model.named_parameters() if p.requires_grad and "lora_" not in n]
    assert sorted(name.split(".")[-2] for name in others) == ["embed_tokens", "lm_head"]


# -- early stop -----------------------------------------------------------------------------------------------------------


def test_early_stop_keeps_the_best(base: Path, monkeypatch: pytest.MonkeyPatch):
    told = iter([5.0, 3.0, 4.0, 3.5, 1.0])
    best: dict[str, torch.Tensor] = {}

    class Spy(TrainingLoop):
        def _validate(self) -> float:
            loss = next(told)
            self.strategy.loss = lambda parts, divisor: loss
            value: float = super()._validate()
            if loss == 3.0:
                best.update({k: v.clone() for k, v in self._weights().items()})
            return value

    monkeypatch.setattr("llm_i2i.lm.training.worker.TrainingLoop", Spy)
    stop = {"share": 0.2, "patience": 2, "evaluations": 1}
    log = train(base, next_items(), llama_settings(epochs=10, early_stop=stop))
    assert [row.validation_loss for row in log if row.validation_loss] == [5.0, 3.0, 4.0, 3.5]
    assert log[-1].step == 4 * 4  # 32 rows in steps of 8, four epochs of ten
    saved = weights_of(base / "out")
    assert len(saved) == len(best)
    for name, tensor in saved.items():
        torch.testing.assert_close(tensor, best[f"model.{name}"], rtol=0, atol=0)


def test_validation_loss_is_the_mean_over_the_rows_held_out(base: Path):
    stop = {"share": 0.25, "patience": 9, "evaluations": 2}
    log = train(base, next_items(), llama_settings(epochs=3, early_stop=stop))
    told = [row.validation_loss for row in log if row.validation_loss is not None]
    assert len(told) == 6
    # The best weights were kept: on the same held-out rows they have the lowest loss told.
    settings = llama_settings(epochs=3, early_stop=stop)
    module, targets = prepared(base, next_items(), settings)
    module = AnswerLoss(load_model("out", settings, base))
    from llm_i2i.lm.training.targets import split_rows

    held_out = split_rows(targets, 0.25, 42)[1]
    with torch.no_grad():
        loss = module(make_batch(targets.examples, held_out)).item() / len(held_out)
    assert loss == pytest.approx(min(told), rel=1e-4)


def test_items_of_one_token_compete_among_themselves(base: Path):
    """Eq. 2 with a softmax over the items alone, as they are ranked when they are generated."""
    settings = llama_settings(item_ids="token")
    rows = as_tokens(walks())
    whole, targets = prepared(base, rows, settings)
    raw = read_examples(rows)
    vocabulary, _ = item_vocabulary(load_tokenizer(settings, base), items_of(settings), settings)
    answers = competing_tokens(vocabulary, raw)
    assert answers is not None
    assert answers.tolist() == sorted(ids[0] for ids in vocabulary.item_sequences)
    batch = make_batch(targets.examples, np.arange(len(targets.examples)))
    with torch.no_grad():
        found = AnswerLoss(whole.model, answers)(batch)
        logits = whole.model(input_ids=torch.from_numpy(batch.inputs)).logits.flatten(0, 1)
        among = logits[torch.from_numpy(batch.places)][:, answers].log_softmax(dim=1)
    place = {token: number for number, token in enumerate(answers.tolist())}
    expected = -sum(
        weight * among[row, place[int(target)]].item()
        for row, (target, weight) in enumerate(zip(batch.targets, batch.weights, strict=True))
        if weight > 0
    )
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_answers_that_are_no_items_compete_with_all_tokens(base: Path):
    settings = llama_settings(item_ids="token")
    tokenizer = load_tokenizer(settings, base)
    vocabulary, _ = item_vocabulary(tokenizer, items_of(settings), settings)
    assert competing_tokens(vocabulary, read_examples(questions())) is None
    spelled, _ = item_vocabulary(tokenizer, items_of(llama_settings()), llama_settings())
    assert competing_tokens(spelled, read_examples(walks())) is None


def test_a_step_in_parts_of_few_tokens_is_the_step(base: Path):
    """Memory follows `tokens_at_once`; losses and weights do not."""
    logs = {}
    for most in (4096, 40, 1):
        settings = llama_settings(tokens_at_once=most, epochs=2)
        logs[most] = [row.loss for row in train(base, next_items(), settings, f"out-{most}")]
    assert logs[40] == pytest.approx(logs[4096], rel=1e-5)
    assert logs[1] == pytest.approx(logs[4096], rel=1e-5)
    for name, tensor in weights_of(base / "out-4096").items():
        torch.testing.assert_close(weights_of(base / "out-1")[name], tensor, rtol=1e-3, atol=1e-4)


def test_parts_hold_like_lengths_and_at_most_so_many_tokens():
    lengths = np.array([9, 2, 3, 30, 2, 8])
    tokens = np.zeros(int(lengths.sum()), dtype=np.int64)
    zeros = np.zeros(len(tokens), dtype=np.float32)
    examples = Examples(tokens, zeros, zeros, np.cumsum(lengths) - lengths, lengths)
    parts = split_by_tokens(examples, np.arange(6), 18)
    assert [part.tolist() for part in parts] == [[1, 4, 2], [5, 0], [3]]
    assert [
        part.tolist() for part in split_by_tokens(examples, np.array([], dtype=np.int64), 18)
    ] == [[]]


# -- what is missing or wrong -----------------------------------------------------------------------------------------------


def test_flash_attention_where_it_cannot_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    asked = llama_settings(attention="flash_attention_2", precision="bfloat16")
    with pytest.raises(LlmI2iError, match="FlashAttention-2") as caught:
        attention_for(asked)
    assert caught.value.found == "no CUDA device"
    assert attention_for(replace_setting(asked, attention="auto")) == "sdpa"
    assert attention_for(replace_setting(asked, attention="eager")) == "eager"


def test_auto_takes_flash_attention_where_it_can(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert attention_for(llama_settings(precision="bfloat16")) == "flash_attention_2"
    assert attention_for(llama_settings(precision="float32")) == "sdpa"


def replace_setting(settings: PretrainedSettings, **values: object) -> PretrainedSettings:
    return settings.model_copy(update=values)


def test_a_folder_without_a_model(base: Path):
    (base / "empty").mkdir()
    with pytest.raises(LlmI2iError, match="cannot load the pretrained model 'empty'"):
        load_model("empty", llama_settings(), base)
    with pytest.raises(LlmI2iError, match="cannot load a tokenizer from 'empty'"):
        load_tokenizer(llama_settings(tokenizer="empty"), base)


def test_pickled_weights_are_refused(base: Path):
    (base / "llama" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(LlmI2iError, match="pickles"):
        load_model("llama", llama_settings(), base)


def test_initial_of_another_spelling(base: Path):
    train(base, next_items(), llama_settings(), "text")
    with pytest.raises(LlmI2iError, match="spells items in another way"):
        train(base, questions(), llama_settings(item_ids="token"), "judge", initial=base / "text")


def test_the_strategy_restores_what_it_saved(base: Path):
    settings = llama_settings()
    module, targets = prepared(base, next_items(8), settings)
    strategy = PlainStrategy(module, settings)
    parts = [make_batch(targets.examples, np.arange(8))]
    strategy.step(parts, 8.0, 1e-2)
    (base / "state").mkdir()
    strategy.save(base / "state")
    expected = [strategy.step(parts, 8.0, 1e-2) for _ in range(3)]
    other = PlainStrategy(prepared(base, next_items(8), settings)[0], settings)
    other.load(base / "state")
    assert [other.step(parts, 8.0, 1e-2) for _ in range(3)] == expected


def test_blank_targets_add_nothing(base: Path):
    module, targets = prepared(base, next_items(1), llama_settings())
    batch = make_batch(targets.examples, np.array([0]))
    n = int(np.count_nonzero(batch.weights))
    bare = replace(
        batch, places=batch.places[:n], targets=batch.targets[:n], weights=batch.weights[:n]
    )
    with torch.no_grad():
        assert module(bare).item() == pytest.approx(module(batch).item(), rel=1e-6)
