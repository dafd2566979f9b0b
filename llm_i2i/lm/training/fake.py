"""Training for tests: checks the examples, writes a fake checkpoint in milliseconds, without torch."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from llm_i2i.lm.checkpoint import Metadata, check_complete, load_vocabulary, save_metadata
from llm_i2i.lm.settings import FromSizesSettings
from llm_i2i.lm.trainer import LogRow
from llm_i2i.lm.training.examples import read_examples, vocabulary_for


def train_fake(
    examples: pa.Table,
    folder: Path,
    settings: FromSizesSettings,
    items: pa.Table | None,
    initial: Path | None,
    random_seed: int,
) -> list[LogRow]:
    """One log row and an llmi2i.json with the vocabulary; the same mistakes are errors as in a real training."""
    raw = read_examples(examples)
    known = None if initial is None else load_vocabulary(initial, check_complete(initial))
    vocabulary = vocabulary_for(raw, items, known)
    save_metadata(
        folder,
        Metadata(
            settings, raw.kind, vocabulary.n_items, raw.labels, random_seed, words=vocabulary.words
        ),
    )
    return [LogRow(step=1, epoch=1.0, loss=0.0, learning_rate=0.0, seconds=0.0)]
