"""Settings of a language model, as the project writes them in YAML and hands them over as JSON."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llm_i2i.errors import LlmI2iError, closest, raise_all
from llm_i2i.lm.serving import ServingSettings, serving_settings

WHERE = "language_model"
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]


class LanguageModelSettings(BaseModel):
    """Architecture and training of one language model; every default is the `small` model of findings.md.

    Attributes:
        architecture: `llama` is trained from scratch (or from `initial`); `fake` writes a checkpoint in milliseconds, for tests.
        backend: What runs the checkpoint afterwards; recorded in it, the inference UDFs may choose another.
        intermediate_size: Width of the feed-forward layers; 0 means twice `hidden_size`.
        dropout: On embeddings and on each attention and MLP output, while training only.
        epochs: Passes over the examples; on Toys VAL R@10 is highest at 6 to 8 and falls from 10 on.
        batch_size: Rows of a step on average; steps hold about equally many tokens, so more of the short rows, fewer long ones.
        sampled_negatives: Uniform negatives shared by a batch; the full softmax where items are few, see `full_softmax_items`.
        full_softmax_items: Catalogues up to this size take the full softmax: there it is as fast, and exact.
        warmup: Share of the steps in which the learning rate rises linearly; it falls as a cosine to 0 afterwards.
        max_length: Longest token sequence, `<s>` included; the oldest items are cut first, words never.
        init: `svd` starts item embeddings from the PPMI-SVD of the training sequences, `normal` at random.
        max_features_per_item: Side features kept per item, the heaviest first; 0 ignores them.
        min_feature_items: A feature carried by fewer items is dropped, it cannot carry anything from one item to another.
        threads: CPU threads of the training; 0 leaves torch's own number. Results repeat for equal seed and threads.
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
    threads: int = Field(default=0, ge=0)
    serving: ServingSettings = ServingSettings()


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
    if settings.hidden_size % (2 * settings.num_heads):
        raise LlmI2iError(
            "hidden_size cannot be split evenly among the heads",
            where=f"{WHERE}.num_heads",
            found=f"hidden_size {settings.hidden_size}, num_heads {settings.num_heads}",
            fix="make hidden_size a multiple of 2 x num_heads (rotary positions come in pairs)",
        )
    return settings


def _not_an_object(text: str) -> LlmI2iError:
    return LlmI2iError(
        "the language model's settings are not a JSON object",
        where=WHERE,
        found=text[:80],
        fix='write for example {"hidden_size": 64, "epochs": 12}',
    )


def _mistake(values: dict[str, Any], detail: Any) -> LlmI2iError:
    name = str(detail["loc"][0]) if detail["loc"] else ""
    if detail["type"] == "extra_forbidden":
        known = list(LanguageModelSettings.model_fields)
        near = closest(name, known)
        return LlmI2iError(
            f"unknown language model setting {name!r}",
            where=f"{WHERE}.{name}",
            found=f"{len(known)} settings, closest {near}" if near else ", ".join(known),
            fix=f"write {near.split(', ')[0]}" if near else "remove it or take one of these",
        )
    return LlmI2iError(
        f"language model setting {name!r} has a wrong value",
        where=f"{WHERE}.{name}",
        found=repr(values.get(name)),
        fix=str(detail["msg"]),
    )
