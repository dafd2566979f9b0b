"""Opens a language model: chooses what runs a checkpoint, and what trains one.

The ports (`lm.backend`, `lm.trainer`) know none of their implementations and the implementations do not know this module, so that
imports go one way. An implementation is imported only when it is asked for: torch and its kin take seconds and are an extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.errors import LlmI2iError, closest
from llm_i2i.lm.backend import TextBackend, keep_few_kernels, missing_extra, wait_without_spinning
from llm_i2i.lm.checkpoint import METADATA, Metadata, check_complete
from llm_i2i.lm.device import choose_backend
from llm_i2i.lm.serving import ServingSettings
from llm_i2i.lm.settings import LanguageModelSettings, PretrainedSettings
from llm_i2i.lm.trainer import LogRow, Progress
from llm_i2i.udf.context import UdfContext

if TYPE_CHECKING:
    import pyarrow as pa

KEPT_OPEN = 4  # generator and discriminator of two variants; a small model takes some 20 MB
BACKENDS = ("auto", "transformers", "vllm", "openai", "fake")


def open_backend(context: UdfContext, model: str, backend: str | None = None) -> TextBackend:
    """The backend of a UDF's checkpoint, served as the project says today.

    Args:
        model: The `checkpoint` value of a fine-tuned model.
        backend: What runs it; None is what the checkpoint records, that is its `language_models` entry.
    """
    return backend_for(context.resolve(model), backend, context.serving)


def backend_for(
    checkpoint_dir: Path | str,
    backend_name: str | None = None,
    serving: ServingSettings | Mapping[str, Mapping[str, Any]] | None = None,
) -> TextBackend:
    """A long-lived backend for a checkpoint: the second call for the same files and options gives the same object.

    A fake checkpoint always runs on the fake backend.

    Args:
        backend_name: None is the backend recorded in the checkpoint.
        serving: Options, or those of each entry of `language_models`; None is what is recorded in the checkpoint.

    Raises:
        LlmI2iError: The backend is unknown or not installed, or the checkpoint is incomplete.
    """
    if backend_name is not None and backend_name not in BACKENDS:
        near = closest(backend_name, BACKENDS)
        raise LlmI2iError(
            f"unknown language model backend {backend_name!r}",
            where="backend",
            found=f"closest {near}" if near else "",
            fix=f"take one of {', '.join(BACKENDS)}",
        )
    folder = Path(checkpoint_dir)
    # A rebuilt checkpoint has the same path: the time of its last file tells it from the one in memory.
    metadata_file = folder / METADATA
    stamp = metadata_file.stat().st_mtime_ns if metadata_file.exists() else 0
    metadata = _checked(folder, stamp)
    asked = backend_name or metadata.settings.backend
    name = "fake" if metadata.is_fake else choose_backend(asked)
    options = _options(metadata, serving)
    # Options that the backend does not read must not open it twice.
    if name == "transformers" and isinstance(metadata.settings, PretrainedSettings):
        options = ServingSettings(device=options.device, dtype=options.dtype)
    elif name not in ("vllm", "openai"):
        options = ServingSettings()
    return _open_backend(folder, name, options, stamp)


def _options(
    metadata: Metadata, serving: ServingSettings | Mapping[str, Mapping[str, Any]] | None
) -> ServingSettings:
    recorded = metadata.settings.serving
    if isinstance(serving, ServingSettings):
        return serving
    if serving is None or recorded.entry not in serving:
        return recorded
    return ServingSettings.model_validate(serving[recorded.entry])


@lru_cache(maxsize=KEPT_OPEN)
def _checked(folder: Path, _stamp: int) -> Metadata:
    return check_complete(folder)


@lru_cache(maxsize=KEPT_OPEN)
def _open_backend(folder: Path, name: str, serving: ServingSettings, _stamp: int) -> TextBackend:
    if name == "fake":
        from llm_i2i.lm.inference.fake import FakeBackend

        return FakeBackend(folder)
    if name == "vllm":
        from llm_i2i.lm.inference.vllm import VllmBackend

        return VllmBackend(folder, serving)
    if name == "openai":
        from llm_i2i.lm.inference.openai import OpenAIBackend

        return OpenAIBackend(folder, serving)
    wait_without_spinning()
    keep_few_kernels()
    try:
        from llm_i2i.lm.inference.transformers import TransformersBackend
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    return TransformersBackend(folder, serving)


def train_checkpoint(
    examples: pa.Table,
    folder: Path,
    settings: LanguageModelSettings,
    *,
    items: pa.Table | None = None,
    initial: Path | None = None,
    random_seed: int = 42,
    progress: Progress = lambda done, total, message: None,
    resume_dir: Path | None = None,
    base_dir: Path | None = None,
    validation: pa.Table | None = None,
) -> list[LogRow]:
    """Fine-tune a language model on weighted examples and write its checkpoint into `folder` (LLM-I2I, eq. 1-3).

    Args:
        examples: Sequence rows (prompt, completions, weights) or example rows (prompt, completion, weight), see
            `lm.training.examples`.
        items: Column `item_token`, and optionally `features`, a list of structs (name, weight). Without it the items are
            those of `initial`, or the distinct completions of sequence rows.
        initial: Checkpoint folder to start from; words it does not know get new rows.
        progress: Called with (steps done, steps in all, message).
        resume_dir: Folder that outlives a kill; a training with `checkpoint_every` goes on from what it finds there.
        base_dir: What relative paths in the settings are relative to.
        validation: Example rows with two answers by which a model made from sizes stops, keeps its best weights, and starts again
            from another seed if it has learned nothing. A pretrained model does not read them: its `early_stop` holds out its own.

    Raises:
        LlmI2iError: The examples, the items or `initial` do not fit, or torch is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if settings.architecture == "fake":
        from llm_i2i.lm.training.fake import train_fake

        return train_fake(examples, folder, settings, items, initial, random_seed)
    wait_without_spinning()
    keep_few_kernels()
    if isinstance(settings, PretrainedSettings):
        try:
            from llm_i2i.lm.training.launch import train_in_processes
        except ModuleNotFoundError as error:
            raise missing_extra(error) from error
        return train_in_processes(
            examples, folder, settings, items, initial, random_seed, progress, resume_dir, base_dir
        )
    try:
        from llm_i2i.lm.training.sft import train
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    return train(examples, folder, settings, items, initial, random_seed, progress, validation)
