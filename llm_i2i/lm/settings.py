"""Settings of a language model, as the project writes them in YAML and hands them over as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from llm_i2i.errors import LlmI2iError, closest, raise_all
from llm_i2i.lm.serving import ServingSettings, serving_settings

WHERE = "language_model"
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]

# What a `pretrained` model trains with where nothing else is said: the paper's values, and ours where it is silent.
PRETRAINED_DEFAULTS = {
    "epochs": 1,
    "learning_rate": 5e-5,
    "batch_size": 16,
    "weight_decay": 0.0,
    "max_length": 1024,
    "threads": 0,
}
# Settings that only one of the two kinds of training reads.
WORDS_ONLY = frozenset(
    "hidden_size num_layers num_heads intermediate_size dropout sampled_negatives full_softmax_items init "
    "max_features_per_item min_feature_items".split()
)
PRETRAINED_ONLY = frozenset(
    "tokenizer item_ids lora precision gradient_accumulation gradient_checkpointing attention processes deepspeed early_stop "
    "checkpoint_every normalise".split()
)


class LoraSettings(BaseModel):
    """Low-rank adapters on all linear layers but the output; they are merged into the weights when the checkpoint is saved.

    Attributes:
        rank: Rank r of the update B A.
        alpha: The update is scaled by alpha / rank.
        dropout: On the input of the adapters, while training only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32.0, gt=0)
    dropout: Fraction = 0.0


class EarlyStop(BaseModel):
    """End a training that no longer gets better on rows it does not train on; the best weights are kept.

    Attributes:
        share: Share of the rows held out; which ones follows from the random seed alone.
        patience: So many evaluations in a row without a lower validation loss end the training.
        evaluations: Evaluations an epoch, evenly spaced, the last at its end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(default=0.05, gt=0.0, lt=1.0)
    patience: int = Field(default=3, ge=1)
    evaluations: int = Field(default=4, ge=1)


class LanguageModelSettings(BaseModel):
    """Architecture and training of one language model.

    There are two kinds. Without `pretrained`, a Llama with one token per item and per word is made from the sizes given and
    trained from scratch; every default is that of method.md 2.9. With it, any causal language model with its own
    tokenizer is fine-tuned; defaults are then those of the paper (learning rate 5e-5, batch 16, length 1024, one epoch).

    Attributes:
        architecture: `llama` is trained from scratch (or from `initial`); `fake` writes a checkpoint in milliseconds, for tests.
        backend: What runs the checkpoint afterwards; recorded in it, the inference UDFs may choose another.
        intermediate_size: Width of the feed-forward layers; 0 means twice `hidden_size`.
        dropout: On embeddings and on each attention and MLP output, while training only.
        epochs: Passes over the examples; on Toys VAL R@10 is highest at 6 to 8 and falls from 10 on.
        batch_size: Pretrained: rows of a step, over all processes. Otherwise rows of a step on average; steps hold about equally many tokens, so more of the short rows, fewer long ones.
        sampled_negatives: Uniform negatives shared by a batch; the full softmax where items are few, see `full_softmax_items`.
        full_softmax_items: Catalogues up to this size take the full softmax: there it is as fast, and exact.
        warmup: Share of the steps in which the learning rate rises linearly.
        schedule: Afterwards it falls to 0 as a cosine or a line, or stays.
        max_length: Longest token sequence, `<s>` included; the oldest items are cut first, words never.
        init: `svd` starts item embeddings from the PPMI-SVD of the training sequences, `normal` at random.
        max_features_per_item: Side features kept per item, the heaviest first; 0 ignores them.
        min_feature_items: A feature carried by fewer items is dropped, it cannot carry anything from one item to another.
        threads: CPU threads of the training; 0 leaves torch's own number. Results repeat for equal seed and threads. A small
            model's matrices are too small to share: on Toys a step takes 54 ms with one thread, 67 with two; use `jobs`.
        pretrained: A folder (relative to the project) or a hub name; a folder with a config but no weights starts at random.
        tokenizer: Folder or name of the tokenizer; null: that of `pretrained`.
        item_ids: How items are spelled: one added token each, as text, or as several added code tokens.
        lora: Train low-rank adapters only; null trains every weight.
        precision: `bfloat16` keeps float32 master weights and computes in bfloat16; the checkpoint is saved in it.
        gradient_accumulation: Parts a process takes its share of a step in; more parts, less memory, equal result.
        gradient_checkpointing: Compute activations again in the backward pass instead of keeping them.
        attention: `auto` is flash_attention_2 on CUDA in bfloat16 where flash_attn is installed, and sdpa otherwise.
        processes: Training processes, one per GPU; more than one needs `deepspeed`.
        deepspeed: Path of a DeepSpeed configuration, such as project/deepspeed/zero2.json; null trains in one plain process.
        early_stop: null trains all epochs and keeps the last weights.
        checkpoint_every: Steps between the states a killed training resumes from; 0 keeps none.
        normalise: Divide the loss of a step by its number of targets (`mean`) or by the sum of their weights.
        serving: How `backend` runs the checkpoint; see `llm_i2i.lm.serving`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["llama", "fake"] = "llama"
    backend: Literal["transformers", "vllm", "openai", "fake"] = "transformers"
    hidden_size: int = Field(default=64, ge=2)
    num_layers: int = Field(default=2, ge=1)
    num_heads: int = Field(default=2, ge=1)
    intermediate_size: int = Field(default=0, ge=0)
    dropout: Fraction = 0.3
    epochs: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    batch_size: int = Field(default=128, ge=1)
    sampled_negatives: int = Field(default=1000, ge=1)
    full_softmax_items: int = Field(default=2000, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: Fraction = 0.03
    clip: float = Field(default=1.0, gt=0)
    max_length: int = Field(default=50, ge=2)
    init: Literal["svd", "normal"] = "svd"
    max_features_per_item: int = Field(default=24, ge=0)
    min_feature_items: int = Field(default=2, ge=1)
    threads: int = Field(default=1, ge=0)
    serving: ServingSettings = ServingSettings()
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    pretrained: str | None = Field(default=None, min_length=1)
    tokenizer: str | None = Field(default=None, min_length=1)
    item_ids: Literal["token", "text", "semantic"] = "text"
    lora: LoraSettings | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    gradient_accumulation: int = Field(default=1, ge=1)
    gradient_checkpointing: bool = False
    attention: Literal["auto", "flash_attention_2", "sdpa", "eager"] = "auto"
    processes: int = Field(default=1, ge=1)
    deepspeed: str | None = Field(default=None, min_length=1)
    early_stop: EarlyStop | None = None
    checkpoint_every: int = Field(default=0, ge=0)
    normalise: Literal["mean", "weighted_mean"] = "mean"

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_kind(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("pretrained") is not None:
            return {**PRETRAINED_DEFAULTS, **values}
        return values

    @property
    def is_pretrained(self) -> bool:
        """Whether a causal language model with its own tokenizer is fine-tuned."""
        return self.pretrained is not None

    def dump(self) -> dict[str, Any]:
        """The settings this kind of training reads, as plain values; `settings_from` takes them back."""
        return self.model_dump(exclude=set(WORDS_ONLY if self.is_pretrained else PRETRAINED_ONLY))


def parse_settings(text: str) -> LanguageModelSettings:
    """Settings from their JSON text; what is left out takes its default.

    Raises:
        LlmI2iError: Not a JSON object, an unknown setting, or a value out of range; several mistakes come together.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise _not_an_object(text) from error
    if not isinstance(values, dict):
        raise _not_an_object(text)
    return settings_from(values)


def settings_from(values: dict[str, Any]) -> LanguageModelSettings:
    """Settings from a mapping, checked as in `parse_settings`."""
    if isinstance(values.get("serving"), dict):
        values = {**values, "serving": serving_settings(values["serving"], f"{WHERE}.serving")}
    try:
        settings = LanguageModelSettings.model_validate(values)
    except ValidationError as error:
        raise_all([_mistake(values, detail) for detail in error.errors()])
        raise
    raise_all([*_of_the_other_kind(settings), *_contradictions(settings)])
    return settings


def _of_the_other_kind(settings: LanguageModelSettings) -> list[LlmI2iError]:
    foreign = WORDS_ONLY if settings.is_pretrained else PRETRAINED_ONLY
    given = [n for n in settings.model_fields_set & foreign if getattr(settings, n) is not None]
    if settings.is_pretrained:
        what, fix = (
            "has no meaning for a pretrained model",
            "remove it; the model's config.json and tokenizer say it",
        )
    else:
        what, fix = "needs a pretrained model", "set pretrained, or remove it"
    return [
        LlmI2iError(
            f"language model setting {name!r} {what}",
            where=f"{WHERE}.{name}",
            found=f"{name} {getattr(settings, name)}, pretrained {settings.pretrained}",
            fix=fix,
        )
        for name in sorted(given)
    ]


def _contradictions(settings: LanguageModelSettings) -> list[LlmI2iError]:
    errors = []
    if settings.hidden_size % (2 * settings.num_heads):
        errors.append(
            LlmI2iError(
                "hidden_size cannot be split evenly among the heads",
                where=f"{WHERE}.num_heads",
                found=f"hidden_size {settings.hidden_size}, num_heads {settings.num_heads}",
                fix="make hidden_size a multiple of 2 x num_heads (rotary positions come in pairs)",
            )
        )
    if settings.is_pretrained and settings.architecture == "fake":
        errors.append(
            LlmI2iError(
                "a fake model has no pretrained weights",
                where=f"{WHERE}.pretrained",
                found=str(settings.pretrained),
                fix="remove pretrained, or take another architecture",
            )
        )
    parts = settings.processes * settings.gradient_accumulation
    if settings.is_pretrained and settings.batch_size % parts:
        errors.append(
            LlmI2iError(
                "batch_size cannot be split evenly",
                where=f"{WHERE}.batch_size",
                found=f"batch_size {settings.batch_size}, processes x gradient_accumulation = {parts}",
                fix="make batch_size, the rows of a step over all processes, a multiple of that",
            )
        )
    if settings.processes > 1 and settings.deepspeed is None:
        errors.append(
            LlmI2iError(
                "several processes need DeepSpeed",
                where=f"{WHERE}.processes",
                found=f"processes {settings.processes}, deepspeed null",
                fix="set deepspeed: project/deepspeed/zero2.json",
            )
        )
    if settings.attention == "flash_attention_2" and settings.precision != "bfloat16":
        errors.append(
            LlmI2iError(
                "FlashAttention-2 does not compute in float32",
                where=f"{WHERE}.attention",
                fix="set precision: bfloat16, or attention: auto",
            )
        )
    return errors


def _not_an_object(text: str) -> LlmI2iError:
    return LlmI2iError(
        "the language model's settings are not a JSON object",
        where=WHERE,
        found=text[:80],
        fix='write for example {"hidden_size": 64, "epochs": 12}',
    )


def _mistake(values: dict[str, Any], detail: Any) -> LlmI2iError:
    name, found = ".".join(map(str, detail["loc"])), _value_at(values, detail["loc"])
    if detail["type"] == "extra_forbidden":
        group: dict[str, type[BaseModel]] = {"lora": LoraSettings, "early_stop": EarlyStop}
        model = group[detail["loc"][0]] if len(detail["loc"]) > 1 else LanguageModelSettings
        known = list(model.model_fields)
        near = closest(str(detail["loc"][-1]), known)
        return LlmI2iError(
            f"unknown language model setting {name!r}",
            where=f"{WHERE}.{name}",
            found=f"{len(known)} settings, closest {near}" if near else ", ".join(known),
            fix=f"write {near.split(', ')[0]}" if near else "remove it or take one of these",
        )
    return LlmI2iError(
        f"language model setting {name!r} has a wrong value",
        where=f"{WHERE}.{name}",
        found=repr(found),
        fix=str(detail["msg"]),
    )


def _value_at(values: Any, place: Sequence[str | int]) -> Any:
    for key in place:
        values = values.get(key) if isinstance(values, dict) else None
    return values
