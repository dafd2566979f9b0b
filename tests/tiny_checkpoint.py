"""Tiny Llamas with a tokenizer of their own, for tests and benchmarks: random weights, byte-level BPE trained on the spot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from llm_i2i.lm.checkpoint import Metadata, save_metadata
from llm_i2i.lm.settings import settings_from
from llm_i2i.lm.tokenizer import ItemIds, TokenizerVocabulary


def bpe_tokenizer(texts: Iterable[str], size: int = 400) -> Any:
    """A byte-level BPE with <pad>, <s> and </s>, which puts <s> before every text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


def random_llama(
    vocabulary_size: int,
    *,
    hidden_size: int = 32,
    max_length: int = 256,
    scale: float = 0.2,
    seed: int = 0,
) -> Any:
    """A Llama of two layers with random weights: of a scale for clear preferences, or (0.02) one to train."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=max_length,
        initializer_range=scale,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).float().eval()


def write_checkpoint(
    folder: Path,
    item_tokens: Sequence[str],
    item_ids: ItemIds,
    *,
    texts: Iterable[str] = (),
    max_length: int = 128,
    model: Any = None,
    vocabulary: TokenizerVocabulary | None = None,
) -> Path:
    """A checkpoint with a tokenizer, written by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    if vocabulary is None:
        vocabulary = TokenizerVocabulary(bpe_tokenizer(texts or item_tokens), item_tokens, item_ids)
    if model is None:
        model = random_llama(len(vocabulary.tokenizer), max_length=max_length)
    save_weights(model, folder)
    vocabulary.save(folder)
    settings = settings_from({"pretrained": "by hand", "max_length": max_length})
    metadata = Metadata(settings, "completion", vocabulary.n_items, (), 0, vocabulary="tokenizer")
    save_metadata(folder, metadata)
    return folder


def save_weights(model: Any, folder: Path) -> None:
    """Config and weights, without the progress bar of `save_pretrained`."""
    from safetensors.torch import save_file

    weights = {k: v for k, v in model.state_dict().items() if k != "lm_head.weight"}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
