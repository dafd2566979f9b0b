"""A Llama 2 of toy size: a folder with a config and a tokenizer trained on item text, and no weights.

    python -m llm_i2i.lm.training.tiny project/seeds/items.csv.gz target/tiny-llama

It has the architecture of the 7B model (rotary positions, RMS norms, SwiGLU, untied embeddings, 4,096 positions), so what runs on
it runs on that. As `pretrained` it starts from random weights.
"""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, PreTrainedTokenizerFast

SPECIAL = ("<unk>", "<s>", "</s>")  # ids 0, 1, 2, as in Llama 2


def write_tiny_llama(
    folder: Path,
    texts: Iterable[str],
    *,
    vocabulary_size: int = 1000,
    hidden_size: int = 64,
    num_layers: int = 2,
    num_heads: int = 4,
) -> Path:
    """Write config.json and the files of a byte-level BPE tokenizer trained on `texts`; returns the folder."""
    tokenizer = train_tokenizer(texts, vocabulary_size)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=11 * hidden_size // 4,  # 11,008 / 4,096 rounded, as in the 7B model
        num_hidden_layers=num_layers,
        num_attention_heads=num_heads,
        num_key_value_heads=num_heads,
        max_position_embeddings=4096,
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=2,
    )
    config.architectures = ["LlamaForCausalLM"]
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def train_tokenizer(texts: Iterable[str], vocabulary_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer: every text can be written, `<s>` comes first."""
    tokenizer = Tokenizer(models.BPE())
    # Digits apart, as in Llama: an item id is spelled in digits, and ids share prefixes.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    unknown, start, end = SPECIAL
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=unknown, bos_token=start, eos_token=end
    )


def read_texts(path: Path) -> list[str]:
    """All text cells of a CSV file (plain or .gz)."""
    from pyarrow import csv

    table = csv.read_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True))
    texts = [c for c in table.columns if pa.types.is_string(c.type)]
    return [value for column in texts for value in column.to_pylist() if value]


if __name__ == "__main__":
    print(write_tiny_llama(Path(sys.argv[2]), read_texts(Path(sys.argv[1]))))
