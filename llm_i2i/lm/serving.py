"""How a finished checkpoint is run: options of the `transformers`, `vllm` and `openai` backends.

None of them changes an answer by more than the rounding of its numbers (`dtype`), so none makes anything stale.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_serializer,
)

from llm_i2i.errors import LlmI2iError, ProjectError, closest, raise_all
from llm_i2i.lm.device import Device, Precision


class ServingSettings(BaseModel):
    """Options of a backend, written under `serving:` of an entry of `language_models`.

    The checkpoint records only `entry`, the name of that entry; its options are read from project.yml when the checkpoint is
    used. So a new rate limit or another server neither trains a model again nor repeats a call.

    Attributes:
        entry: Entry of `language_models` whose options hold; set by `language_model()`, not by hand.
        max_num_seqs: vllm: prompts in one step of the engine.
        gpu_memory_utilization: vllm on a GPU: share of its memory to take; null is vLLM's own choice.
        kv_cache_gb: vllm on a CPU: memory of the key-value cache, in GiB.
        tensor_parallel_size: vllm: GPUs one model is spread over.
        device: transformers: where a pretrained model runs; `auto` is a GPU where there is one (`llm_i2i.lm.device`). A model made
            from sizes runs on the CPU: its matrices are too small for a GPU.
        dtype: transformers, vllm: type of weights and activations of a pretrained model; `auto` is bfloat16 on CUDA and float32
            elsewhere, and float32 for a model made from sizes. Log-probabilities are float32 in any case.
        base_url: openai: address of the server, up to and with `/v1`; no user or password in it.
        api_key_env: openai: environment variable that holds the API key; empty: the server wants none.
        model: openai: name the server gives the checkpoint; empty: the digest of its weights, so that no other answers for it.
        prompts: openai: send token ids, which our vocabulary makes, or text, which the server's tokenizer reads.
        prompts_per_request: openai: prompts of one request.
        concurrency: openai: requests under way at once.
        requests_per_minute: openai: rate limit, evenly spaced; 0 is none.
        timeout_seconds: openai: longest wait for one answer.
        max_retries: openai: tries after the first, on 429, 5xx, timeouts and broken connections.
        backoff_seconds: openai: wait before the first retry; it doubles each time, and a random part of it is taken off.
        max_wait_seconds: openai: longest wait before a retry, a server's Retry-After included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    entry: str = ""
    max_num_seqs: int = Field(default=256, ge=1)
    gpu_memory_utilization: float | None = Field(default=None, gt=0, le=1)
    kv_cache_gb: float = Field(default=1.0, gt=0)
    tensor_parallel_size: int = Field(default=1, ge=1)
    device: Device = "auto"
    dtype: Precision = "auto"
    base_url: str = "http://127.0.0.1:8000/v1"
    api_key_env: str = ""
    model: str = ""
    prompts: Literal["token_ids", "text"] = "token_ids"
    prompts_per_request: int = Field(default=32, ge=1)
    concurrency: int = Field(default=4, ge=1)
    requests_per_minute: float = Field(default=0.0, ge=0)
    timeout_seconds: float = Field(default=60.0, gt=0)
    max_retries: int = Field(default=5, ge=0)
    backoff_seconds: float = Field(default=0.5, ge=0)
    max_wait_seconds: float = Field(default=60.0, gt=0)

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("write an address such as http://127.0.0.1:8000/v1")
        if parts.username or parts.password or parts.query:
            raise ValueError("a secret goes into the variable api_key_env names, not the address")
        return value.rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _is_a_variable(cls, value: str) -> str:
        if value and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError("write the name of an environment variable, never the key itself")
        return value

    @model_serializer
    def _what_was_set(self) -> dict[str, Any]:
        return {
            name: getattr(self, name)
            for name, field in type(self).model_fields.items()
            if getattr(self, name) != field.default
        }


def serving_settings(options: Mapping[str, Any], where: str = "serving") -> ServingSettings:
    """Options of a `serving:` section, checked.

    Raises:
        LlmI2iError: An unknown option or a value out of range; several mistakes come together. Values of address and key
            options are not repeated: they may hold a secret.
    """
    try:
        return ServingSettings.model_validate(dict(options))
    except ValidationError as error:
        raise_all([_mistake(options, detail, where) for detail in error.errors()])
        raise


def project_serving(
    language_models: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    """The serving options of each entry of a project's `language_models` that has any, checked, as plain values."""
    return {
        name: serving_settings(
            entry["serving"] or {}, f"language_models.{name}.serving"
        ).model_dump()
        for name, entry in language_models.items()
        if "serving" in entry
    }


def _mistake(options: Mapping[str, Any], detail: Any, where: str) -> LlmI2iError:
    name = str(detail["loc"][0]) if detail["loc"] else ""
    if detail["type"] == "extra_forbidden":
        known = [field for field in ServingSettings.model_fields if field != "entry"]
        near = closest(name, known)
        return ProjectError(
            f"unknown serving option {name!r}",
            where=f"{where}.{name}",
            found=f"{len(known)} options, closest {near}" if near else ", ".join(known),
            fix=f"write {near.split(', ')[0]}" if near else "remove it or take one of these",
        )
    secret = name in ("base_url", "api_key_env")
    return ProjectError(
        f"serving option {name!r} has a wrong value",
        where=f"{where}.{name}",
        found="" if secret else repr(options.get(name)),
        fix=str(detail["msg"]).removeprefix("Value error, "),
    )
