"""The Llama that is trained: built from settings, dropped out by hooks, saved as a plain checkpoint."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)
from transformers.masking_utils import eager_mask
from transformers.models.llama.modeling_llama import rotate_half

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.checkpoint import WEIGHTS
from llm_i2i.lm.items import BOS, EOS, PAD, SPECIAL_WORDS, Vocabulary
from llm_i2i.lm.settings import FromSizesSettings

EMBEDDING = "model.embed_tokens.weight"
ATTENTION = "llmi2i_plain"
VECTOR = 16  # float32 values of an AVX-512 register


def build_model(settings: FromSizesSettings, vocabulary_size: int) -> LlamaForCausalLM:
    """A Llama with tied embeddings and random weights, drawn from torch's global generator."""
    config = LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=settings.hidden_size,
        intermediate_size=settings.intermediate_size or 2 * settings.hidden_size,
        num_hidden_layers=settings.num_layers,
        num_attention_heads=settings.num_heads,
        num_key_value_heads=settings.num_heads,
        max_position_embeddings=settings.max_length,
        tie_word_embeddings=True,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
    )
    # Plain attention: over sequences this short it beats the flash kernel.
    config._attn_implementation = ATTENTION
    return LlamaForCausalLM(config).float()


def plain_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention of as many key as query heads, shapes (batch, heads, length, width) -> (batch, length, heads, width).

    Rows of scores shorter than `VECTOR` are filled up: torch's softmax takes ten times as long over 15 values as over 16.
    """
    scores = torch.matmul(query, key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    length = scores.shape[-1]
    if length < VECTOR:
        scores = functional.pad(scores, (0, VECTOR - length), value=-torch.inf)
    shares = scores.softmax(dim=-1)[..., :length]
    return torch.matmul(shares, value).transpose(1, 2).contiguous(), None


AttentionInterface.register(ATTENTION, plain_attention)
AttentionMaskInterface.register(ATTENTION, eager_mask)


def add_dropout(model: LlamaForCausalLM, probability: float) -> None:
    """Drop out each attention and MLP output while `model.training`; the saved weights know nothing of it."""

    def drop(module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        return dropout(output, probability) if module.training else output

    for layer in model.model.layers:
        layer.self_attn.o_proj.register_forward_hook(drop)
        layer.mlp.register_forward_hook(drop)


def states_at(model: LlamaForCausalLM, embedded: Tensor, places: Tensor) -> Tensor:
    """Final hidden state at one place of each row, shape (rows, d): the last layer is computed there alone, and its keys and values.

    Args:
        embedded: Input embeddings, right-padded, shape (rows, length, d).
        places: Place in each row, int64, shape (rows,).
    """
    llama, rows, length = model.model, torch.arange(len(embedded)), embedded.shape[1]
    angles = llama.rotary_emb(embedded, torch.arange(length)[None])
    mask = torch.full((length, length), -torch.inf).triu(1)  # 0 on and below the diagonal
    *layers, last = llama.layers
    states = embedded
    for layer in layers:
        states = layer(states, attention_mask=mask, position_embeddings=angles)
    attention, normed = last.self_attn, last.input_layernorm(states)

    def heads(values: Tensor) -> Tensor:
        return values.view(
            len(rows), -1, attention.config.num_attention_heads, attention.head_dim
        ).transpose(1, 2)

    cos, sin = angles
    keys, values = heads(attention.k_proj(normed)), heads(attention.v_proj(normed))
    queries = heads(attention.q_proj(normed[rows, places]))
    keys = keys * cos + rotate_half(keys) * sin
    at = cos[0][places][:, None, None], sin[0][places][:, None, None]
    queries = queries * at[0] + rotate_half(queries) * at[1]
    seen, _ = plain_attention(
        attention, queries, keys, values, mask[places][:, None, None], attention.scaling
    )
    states = states[rows, places] + attention.o_proj(seen.flatten(1))
    states = states + last.mlp(last.post_attention_layernorm(states))
    result: Tensor = llama.norm(states)
    return result


def dropout(values: Tensor, probability: float) -> Tensor:
    """Zero values at random and scale up the others; probability in steps of 1/65536.

    Four 16-bit draws from each 64-bit random number: five times faster on a CPU than torch's, which draws a float each.
    """
    dropped = round(probability * 65536)
    if dropped == 0:
        return values
    numbers = torch.empty((values.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    draws = numbers.view(torch.int16)[: values.numel()].view(values.shape)
    return values * (draws >= dropped - 32768) * (65536 / (65536 - dropped))


def start_from(
    model: LlamaForCausalLM, folder: Path, known: Vocabulary, vocabulary: Vocabulary
) -> Tensor:
    """Copy the weights of a checkpoint, and give the start of the new embedding table: known words keep their rows.

    Raises:
        LlmI2iError: The checkpoint is of another shape.
    """
    weights = load_file(folder / WEIGHTS)
    old_rows = weights.pop(EMBEDDING)
    own = model.state_dict()
    wrong = [
        name
        for name, tensor in weights.items()
        if name not in own or own[name].shape != tensor.shape
    ]
    if wrong or old_rows.shape[1] != model.config.hidden_size:
        raise LlmI2iError(
            "the initial checkpoint has another shape",
            where=str(folder),
            found=wrong[0] if wrong else f"hidden_size {old_rows.shape[1]}",
            fix="give both language models the same hidden_size, intermediate_size, num_layers and num_heads",
        )
    model.load_state_dict(weights, strict=False)
    rows = model.model.embed_tokens.weight.detach().clone()
    shared = [
        (new, known.ids[word]) for new, word in enumerate(vocabulary.words) if word in known.ids
    ]
    new_ids, old_ids = (torch.tensor(ids) for ids in zip(*shared, strict=True))
    rows[new_ids] = old_rows[old_ids]
    return rows


def save_model(
    model: LlamaForCausalLM, embeddings: Tensor, vocabulary: Vocabulary, folder: Path
) -> None:
    """Write config, weights with these embeddings, and tokenizer files; equal weights give equal bytes."""
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(embeddings)
        model.model.embed_tokens.weight[PAD] = 0.0
    # Not `save_pretrained`: it draws a progress bar on stderr. The output layer is tied, so it has no tensor of its own.
    weights = {
        name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight"
    }
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    build_tokenizer(vocabulary, model.config.max_position_embeddings).save_pretrained(folder)


def build_tokenizer(vocabulary: Vocabulary, max_length: int) -> PreTrainedTokenizerFast:
    """The tokenizer that other programs (vLLM) read prompts with: it agrees with `Vocabulary.encode`."""
    tokenizer = Tokenizer(models.WordLevel(dict(vocabulary.ids), unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", BOS)]
    )
    pad, bos, eos, unknown = SPECIAL_WORDS
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        bos_token=bos,
        eos_token=eos,
        unk_token=unknown,
        model_max_length=max_length,
        padding_side="right",
        truncation_side="left",
    )
