"""A causal language model with its tokenizer: found, loaded, given rows for items, adapted, and saved as plain files."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers.utils import logging as transformers_logging

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.checkpoint import WEIGHTS
from llm_i2i.lm.device import choose_device, choose_precision
from llm_i2i.lm.settings import WHERE, PretrainedSettings
from llm_i2i.lm.tokenizer import TokenizerVocabulary, chat_frame
from llm_i2i.lm.weights import Weights, locate

NEW_ROW_NOISE = (
    0.1  # of the old rows' standard deviation: tells new items apart, keeps them near the mean
)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def on_this_machine(settings: PretrainedSettings) -> PretrainedSettings:
    """The settings with the precision that `auto` means here; the checkpoint records it."""
    precision = choose_precision(settings.precision, choose_device())
    return settings.model_copy(update={"precision": precision})


def load_tokenizer(settings: PretrainedSettings, base_dir: Path) -> Any:
    """The tokenizer of `settings.tokenizer`, by default that of the pretrained model.

    Raises:
        LlmI2iError: There is none, or it has no end token.
    """
    name = settings.tokenizer or settings.pretrained
    try:
        found = locate(name, base_dir)
        tokenizer = AutoTokenizer.from_pretrained(
            found.place, trust_remote_code=False, **found.options
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LlmI2iError(
            f"cannot load a tokenizer from {name!r}",
            where=f"{WHERE}.tokenizer",
            found=_first_line(error),
            fix="give a folder with tokenizer.json, or a name on the hub",
        ) from error
    if tokenizer.eos_token_id is None:
        raise LlmI2iError(
            "the tokenizer has no end token",
            where=f"{WHERE}.tokenizer",
            found=name,
            fix="set eos_token in its tokenizer_config.json: answers end with it",
        )
    return tokenizer


def load_model(source: str, settings: PretrainedSettings, base_dir: Path) -> Any:
    """The model of a folder or hub name, in training mode; random weights where a folder holds only a config.

    Raises:
        LlmI2iError: There is no such model, or its weights are pickles.
    """
    found = locate(source, base_dir)
    place = found.place
    attention = attention_for(settings)
    dtype = DTYPES[settings.precision] if settings.deepspeed else torch.float32
    transformers_logging.disable_progress_bar()
    try:
        if found.gguf:
            model = _from_gguf(found, attention, dtype)
        elif isinstance(place, Path) and not any(place.glob("*.safetensors")):
            _refuse_pickles(place)
            config = AutoConfig.from_pretrained(place, trust_remote_code=False)
            model = AutoModelForCausalLM.from_config(
                config, attn_implementation=attention, dtype=dtype, trust_remote_code=False
            )
        else:
            model = AutoModelForCausalLM.from_pretrained(
                place,
                attn_implementation=attention,
                dtype=dtype,
                trust_remote_code=False,
                use_safetensors=True,
            )
    except (OSError, ValueError, KeyError) as error:
        raise LlmI2iError(
            f"cannot load the pretrained model {source!r}",
            where=f"{WHERE}.pretrained",
            found=_first_line(error),
            fix="give a folder with config.json and *.safetensors, a folder with config.json alone, a .gguf file, or a name on the hub",
        ) from error
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.config.use_cache = False
    return model.train()


def _from_gguf(found: Weights, attention: str, dtype: torch.dtype) -> Any:
    """The model of a .gguf file, its weights as plain numbers: what is trained and saved is no longer quantised."""
    model = AutoModelForCausalLM.from_pretrained(
        found.place,
        attn_implementation=attention,
        dtype=dtype,
        trust_remote_code=False,
        use_safetensors=True,  # of what is no .gguf: pickles are never read
        quantization_config=GgufConfig(dequantize=True),
        **found.options,
    )
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return model


def attention_for(settings: PretrainedSettings) -> str:
    """The attention that runs: `auto` takes FlashAttention-2 where it can.

    Raises:
        LlmI2iError: FlashAttention-2 is asked for and cannot run here.
    """
    has_package = importlib.util.find_spec("flash_attn") is not None
    has_cuda = torch.cuda.is_available()
    if settings.attention == "auto":
        can_flash = has_package and has_cuda and settings.precision == "bfloat16"
        return "flash_attention_2" if can_flash else "sdpa"
    if settings.attention == "flash_attention_2" and not (has_package and has_cuda):
        raise LlmI2iError(
            "FlashAttention-2 is asked for and cannot run here",
            where=f"{WHERE}.attention",
            found="flash_attn is not installed" if has_cuda else "no CUDA device",
            fix="pip install 'llm_i2i[flash-attn]' on a machine with CUDA, or set attention: auto",
        )
    return settings.attention


def item_vocabulary(
    tokenizer: Any,
    item_tokens: Sequence[str],
    settings: PretrainedSettings,
    *,
    is_list: bool = False,
) -> tuple[TokenizerVocabulary, list[int]]:
    """The vocabulary of the items, and the ids of the tokens that were added for them.

    Args:
        is_list: Prompts are lists to be continued; a list is no conversation, so it has no turns of a chat.
    """
    before = set(tokenizer.get_vocab())
    is_chat = settings.chat == "auto" and settings.item_ids == "text" and not is_list
    chat = chat_frame(tokenizer) if is_chat else None
    vocabulary = TokenizerVocabulary(
        tokenizer, item_tokens, settings.item_ids, chat, is_list=is_list
    )
    added = {word: token for word, token in tokenizer.get_vocab().items() if word not in before}
    return vocabulary, sorted(added.values())


@torch.no_grad()
def add_rows(
    model: Any,
    tokenizer_size: int,
    new_ids: Sequence[int],
    starts: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> None:
    """Embedding rows for added tokens: the mean of the old rows plus a little noise from torch's generator.

    Args:
        starts: What gives, from the input embeddings, a better start of each added token than the mean, shape (added, d).
    """
    old_size = model.get_input_embeddings().weight.shape[0]
    if tokenizer_size > old_size:
        model.resize_token_embeddings(tokenizer_size, mean_resizing=False)
    if not new_ids:
        return
    new = torch.tensor(new_ids)
    tables = {
        id(t.weight): t.weight
        for t in (model.get_input_embeddings(), model.get_output_embeddings())
    }
    for table in tables.values():
        is_old = torch.ones(table.shape[0], dtype=torch.bool)
        is_old[new] = False
        is_old[old_size:] = False
        old = table[is_old].float()
        noise = torch.randn(len(new), table.shape[1]) * (NEW_ROW_NOISE * old.std())
        start = old.mean(dim=0) if starts is None else starts(table[:old_size].float())
        table[new] = (start + noise).to(table.dtype)


def with_lora(model: Any, settings: PretrainedSettings, *, train_embeddings: bool) -> Any:
    """The model with low-rank adapters, all else frozen; with added tokens the embeddings are trained too, as they are new.

    Raises:
        LlmI2iError: peft is not installed.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ModuleNotFoundError as error:
        raise LlmI2iError(
            "LoRA needs a package that is not installed",
            where=f"{WHERE}.lora",
            found=str(error),
            fix="pip install 'llm_i2i[lora]'",
        ) from error
    lora = settings.lora
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(model, config)
    if settings.precision == "bfloat16":
        for parameter in adapted.parameters():
            if not parameter.requires_grad:
                parameter.data = parameter.data.to(torch.bfloat16)
    if train_embeddings:
        # In place, not as peft's copies (modules_to_save): tied tables stay tied.
        for table in (model.get_input_embeddings(), model.get_output_embeddings()):
            table.weight.data = table.weight.data.float()
            table.weight.requires_grad_(True)
    return adapted


def merged(model: Any) -> Any:
    """The plain model, adapters merged into its weights."""
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model


def save_pretrained(
    model: Any, vocabulary: TokenizerVocabulary, folder: Path, precision: str
) -> None:
    """Write config.json, one model.safetensors, the tokenizer's files and items.json; equal weights give equal bytes."""
    dtype = DTYPES[precision]
    weights = {
        name: tensor.to("cpu", dtype if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in untied_state(model).items()
    }
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)
    model.config.architectures = [type(model).__name__]
    model.config.dtype = dtype
    model.config.use_cache = True
    model.config.save_pretrained(folder)
    vocabulary.save(folder)


def untied_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Weights by name, each tensor once: a tied output layer has none of its own."""
    seen: set[int] = set()
    kept = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            kept[name] = tensor.detach()
    return kept


def _refuse_pickles(folder: Path) -> None:
    pickles = sorted(path.name for path in folder.glob("*.bin"))
    if pickles:
        raise LlmI2iError(
            "the pretrained weights are pickles, which can run code",
            where=str(folder),
            found=", ".join(pickles),
            fix="convert them to safetensors",
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
