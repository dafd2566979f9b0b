"""Settings of a language model, as the project writes them in YAML and hands them over as JSON.

There are two kinds, and `pretrained` tells them apart. Without it, a Llama is made from the sizes given and trained from scratch. With
it, a causal language model that brings its own tokenizer is fine-tuned. Each kind is a type with its own settings and its own defaults.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from inspect import get_annotations
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llm_i2i.errors import LlmI2iError, closest, raise_all
from llm_i2i.lm.serving import ServingSettings, serving_settings

WHERE = "language_model"
Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Length = Annotated[int, Field(ge=2)]
ITEM_TOKENS = 64  # max_length of a pretrained model whose items are one token each
Name = Annotated[str, Field(min_length=1)]
Backend = Literal["auto", "transformers", "vllm", "openai", "fake"]
Schedule = Literal["cosine", "linear", "constant"]


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


class TrainingSettings(BaseModel):
    """What the settings of both kinds hold; the defaults differ, so each kind declares them.

    Attributes:
        architecture: `llama` is trained; `fake` writes a checkpoint in milliseconds, for tests.
        backend: What runs the checkpoint afterwards; recorded in it, the inference UDFs may choose another. `auto` is vLLM where it
            is installed and there is a CUDA device, and transformers elsewhere.
        epochs: Passes over the examples.
        warmup: Share of the steps in which the learning rate rises linearly.
        clip: Largest norm of the gradient of a step.
        max_length: Longest token sequence, `<s>` included; the oldest items are cut first, words never.
        threads: CPU threads of the training; 0 leaves torch's own number. Results repeat for equal seed and threads.
        serving: How `backend` runs the checkpoint; see `llm_i2i.lm.serving`.
        schedule: After the warm-up the learning rate falls to 0 as a cosine or a line, or stays.
        pretrained: The model that is fine-tuned; null says that the model is made from sizes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["llama", "fake"]
    backend: Backend
    epochs: Count
    learning_rate: Positive
    batch_size: Count
    weight_decay: NotNegative
    warmup: Fraction
    clip: Positive
    max_length: Length
    threads: Natural
    serving: ServingSettings
    schedule: Schedule
    pretrained: Name | None

    def dump(self) -> dict[str, Any]:
        """The settings as plain values; `settings_from` takes them back.

        They stand in the order in which the kind declares them, which checkpoints keep: the digest of a fake checkpoint is that of
        its llmi2i.json, so another order would be another model.
        """
        values = self.model_dump()
        return {name: values[name] for name in get_annotations(type(self)) if name in values}

    def contradictions(self) -> list[LlmI2iError]:
        """The settings that do not go together."""
        return []


class FromSizesSettings(TrainingSettings):
    """A Llama with one token per item and per word, made from sizes and trained from scratch; the defaults are those of method.md 2.9.

    Attributes:
        architecture: `fake` takes the sizes of a `llama` and does not read them, so that a project can change from one to the other.
        intermediate_size: Width of the feed-forward layers; 0 means twice `hidden_size`.
        dropout: On embeddings and on each attention and MLP output, while training only.
        epochs: Passes over the examples; on Toys VAL R@10 is highest at 6 to 8 and falls from 10 on.
        batch_size: Rows of a step on average; steps hold about equally many tokens, so more of the short rows, fewer long ones.
        sampled_negatives: Uniform negatives shared by a batch; the full softmax where items are few, see `full_softmax_items`.
        full_softmax_items: Catalogues up to this size take the full softmax: there it is as fast, and exact.
        init: `svd` starts item embeddings from the PPMI-SVD of the training sequences, `normal` at random.
        max_features_per_item: Side features kept per item, the heaviest first; 0 ignores them.
        min_feature_items: A feature carried by fewer items is dropped, it cannot carry anything from one item to another.
        min_steps: Epochs are added until a training has so many steps. With validation rows it ends earlier, but only once it has
            learned something: its AUC on them is above one half by two standard errors.
        targets_per_item: The training ends, within an epoch if need be, once it has seen so many targets for each item of the
            catalogue (84 on Toys in 6 epochs); 0 for no such end. On a dense log items are known long before the last epoch.
        evaluations: With validation rows, how often they are evaluated.
        patience: With validation rows, so many evaluations in a row without a lower loss end a training that has learned something.
        retries: With validation rows, how often a training that learned nothing starts again from another seed.
        threads: As for both kinds. One by default, because a small model's matrices are too small to share: on Toys a step takes
            54 ms with one thread, 67 with two; use `jobs`.
        pretrained: Always null.
    """

    title: ClassVar[str] = "a model made from sizes"

    architecture: Literal["llama", "fake"] = "llama"
    backend: Backend = "transformers"
    hidden_size: Length = 64
    num_layers: Count = 2
    num_heads: Count = 2
    intermediate_size: Natural = 0
    dropout: Fraction = 0.3
    epochs: Count = 8
    learning_rate: Positive = 2e-3
    batch_size: Count = 128
    sampled_negatives: Count = 1000
    full_softmax_items: Natural = 2000
    weight_decay: NotNegative = 0.01
    warmup: Fraction = 0.03
    clip: Positive = 1.0
    max_length: Length = 50
    init: Literal["svd", "normal"] = "svd"
    max_features_per_item: Natural = 24
    min_feature_items: Count = 2
    min_steps: Natural = 0
    targets_per_item: Natural = 0
    evaluations: Count = 40
    patience: Count = 6
    retries: Natural = 2
    threads: Natural = 1
    serving: ServingSettings = ServingSettings()
    schedule: Schedule = "cosine"
    pretrained: None = None

    def contradictions(self) -> list[LlmI2iError]:
        """The width must split into heads."""
        if self.hidden_size % (2 * self.num_heads) == 0:
            return []
        return [
            LlmI2iError(
                "hidden_size cannot be split evenly among the heads",
                where=f"{WHERE}.num_heads",
                found=f"hidden_size {self.hidden_size}, num_heads {self.num_heads}",
                fix="make hidden_size a multiple of 2 x num_heads (rotary positions come in pairs)",
            )
        ]


class PretrainedSettings(TrainingSettings):
    """Any causal language model with its own tokenizer, to be fine-tuned; the defaults are the paper's, and ours where it is silent.

    Attributes:
        architecture: Always `llama`, which says nothing: the model's own config.json tells what it is.
        batch_size: Rows of a step, over all processes.
        pretrained: A folder (relative to the project) or a hub name; a folder with a config but no weights starts at random.
        weights: Digest of what `pretrained` and `tokenizer` name, chat template included; `language_model()` sets it where they are
            on this machine, so that other weights under the same name are another model.
        tokenizer: Folder or name of the tokenizer; null: that of `pretrained`.
        max_length: As above; by default 1,024, and 64 where items are one token each.
        item_ids: How items are spelled: one added token each, as text, or as several added code tokens.
        chat: `auto` writes a prompt as the user's turn of the tokenizer's chat template, where it has one and items are spelled as
            text; answers are the assistant's. Sequences of item tokens are no conversation. `off` leaves prompts plain.
        init: Where the rows of added item tokens start. `text`: at what the model knows of the items' words
            (`lm.training.text_start`). `text_svd`: there, moved by the PPMI-SVD of the training sequences, where an item is one token
            (`lm.training.behaviour_start`). `mean`: at the mean of the model's rows.
        lora: Train low-rank adapters only; null trains every weight.
        precision: `bfloat16` keeps float32 master weights and computes in bfloat16; the checkpoint is saved in it. `auto` is
            bfloat16 on CUDA and float32 elsewhere.
        gradient_accumulation: Parts a process takes its share of a step in; more parts, less memory, equal result.
        memory_gb: Memory of the training without DeepSpeed, about; null: half of what the machine or its GPU has. A step takes as many
            parts as that needs, with equal result, so memory does not follow the batch or the length of histories.
        tokens_at_once: Most tokens of one such part, padding included; null: what `memory_gb` has room for.
        gradient_checkpointing: Compute activations again in the backward pass instead of keeping them.
        attention: `auto` is flash_attention_2 on CUDA in bfloat16 where flash_attn is installed, and sdpa otherwise.
        processes: Training processes, one per GPU; more than one needs `deepspeed`.
        deepspeed: Path of a DeepSpeed configuration, such as project/deepspeed/zero2.json; null trains in one plain process.
        early_stop: null trains all epochs and keeps the last weights.
        checkpoint_every: Steps between the states a killed training resumes from; 0 keeps none.
        normalise: Divide the loss of a step by its number of targets (`mean`) or by the sum of their weights.
    """

    title: ClassVar[str] = "a pretrained model"

    architecture: Literal["llama"] = "llama"
    backend: Backend = "auto"
    epochs: Count = 1
    learning_rate: Positive = 5e-5
    batch_size: Count = 16
    weight_decay: NotNegative = 0.0
    warmup: Fraction = 0.03
    clip: Positive = 1.0
    max_length: Length = 1024
    threads: Natural = 0
    serving: ServingSettings = ServingSettings()
    schedule: Schedule = "cosine"
    pretrained: Name
    weights: str = ""
    tokenizer: Name | None = None
    item_ids: Literal["token", "text", "semantic"] = "text"
    chat: Literal["auto", "off"] = "auto"
    init: Literal["text", "text_svd", "mean"] = "text"
    lora: LoraSettings | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    gradient_accumulation: Count = 1
    memory_gb: Positive | None = None
    tokens_at_once: Count | None = None
    gradient_checkpointing: bool = False
    attention: Literal["auto", "flash_attention_2", "sdpa", "eager"] = "auto"
    processes: Count = 1
    deepspeed: Name | None = None
    early_stop: EarlyStop | None = None
    checkpoint_every: Natural = 0
    normalise: Literal["mean", "weighted_mean"] = "mean"

    def contradictions(self) -> list[LlmI2iError]:
        """A step must split into its parts, several processes need DeepSpeed, and FlashAttention-2 needs bfloat16."""
        errors = []
        parts = self.processes * self.gradient_accumulation
        if self.batch_size % parts:
            errors.append(
                LlmI2iError(
                    "batch_size cannot be split evenly",
                    where=f"{WHERE}.batch_size",
                    found=f"batch_size {self.batch_size}, processes x gradient_accumulation = {parts}",
                    fix="make batch_size, the rows of a step over all processes, a multiple of that",
                )
            )
        if self.processes > 1 and self.deepspeed is None:
            errors.append(
                LlmI2iError(
                    "several processes need DeepSpeed",
                    where=f"{WHERE}.processes",
                    found=f"processes {self.processes}, deepspeed null",
                    fix="set deepspeed: project/deepspeed/zero2.json",
                )
            )
        if self.attention == "flash_attention_2" and self.precision == "float32":
            errors.append(
                LlmI2iError(
                    "FlashAttention-2 does not compute in float32",
                    where=f"{WHERE}.attention",
                    fix="set precision: bfloat16, or attention: auto",
                )
            )
        return errors


LanguageModelSettings = FromSizesSettings | PretrainedSettings
Kind = type[FromSizesSettings] | type[PretrainedSettings]


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
    """Settings from a mapping, of the kind that its `pretrained` says, checked as in `parse_settings`."""
    kind = _kind_of(values)
    if kind is PretrainedSettings and values.get("item_ids") == "token":
        # A history of item tokens has no words, so few tokens hold all that matters of it.
        values = {"max_length": ITEM_TOKENS, **values}
    other: Kind = FromSizesSettings if kind is PretrainedSettings else PretrainedSettings
    if isinstance(values.get("serving"), dict):
        values = {**values, "serving": serving_settings(values["serving"], f"{WHERE}.serving")}
    foreign = set(values) & (set(other.model_fields) - set(kind.model_fields))
    # A null asks for nothing, so it is no mistake in either kind.
    errors = [
        _of_the_other_kind(name, values, kind, other)
        for name in sorted(foreign)
        if values[name] is not None
    ]
    try:
        settings = kind.model_validate({k: v for k, v in values.items() if k not in foreign})
    except ValidationError as error:
        raise_all([*errors, *(_mistake(values, detail, kind) for detail in error.errors())])
        raise
    raise_all([*errors, *settings.contradictions()])
    return settings


def _kind_of(values: dict[str, Any]) -> Kind:
    """The type that reads a mapping.

    Raises:
        LlmI2iError: It asks for a fake model and names a pretrained one.
    """
    if values.get("pretrained") is None:
        return FromSizesSettings
    if values.get("architecture") == "fake":
        raise LlmI2iError(
            "a fake model has no pretrained weights",
            where=f"{WHERE}.pretrained",
            found=str(values["pretrained"]),
            fix="remove pretrained, or take another architecture",
        )
    return PretrainedSettings


def _of_the_other_kind(name: str, values: dict[str, Any], kind: Kind, other: Kind) -> LlmI2iError:
    if kind is PretrainedSettings:
        found, fix = f"pretrained {values['pretrained']}", "remove pretrained"
    else:
        found, fix = "no pretrained", "set pretrained"
    return LlmI2iError(
        f"language model setting {name!r} goes with {other.title}, and this is {kind.title}",
        where=f"{WHERE}.{name}",
        found=f"{name} {values[name]}, {found}",
        fix=f"remove {name}, or {fix}",
    )


def _not_an_object(text: str) -> LlmI2iError:
    return LlmI2iError(
        "the language model's settings are not a JSON object",
        where=WHERE,
        found=text[:80],
        fix='write for example {"hidden_size": 64, "epochs": 12}',
    )


def _mistake(values: dict[str, Any], detail: Any, kind: Kind) -> LlmI2iError:
    name, found = ".".join(map(str, detail["loc"])), _value_at(values, detail["loc"])
    if detail["type"] == "extra_forbidden":
        group: dict[str, type[BaseModel]] = {"lora": LoraSettings, "early_stop": EarlyStop}
        model = group[detail["loc"][0]] if len(detail["loc"]) > 1 else kind
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
