"""What the calls of a UDF are measured in: the tokens of its checkpoint where it has one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_i2i.lm.checkpoint import METADATA, WEIGHTS, load_metadata, open_vocabulary
from llm_i2i.lm.items import Vocabulary

MODEL, BACKEND = "model", "backend"  # named arguments that say what a UDF runs, and how
SAMPLE = 1000  # prompts a slow tokenizer reads to estimate the tokens of all


@dataclass(frozen=True)
class CallMeter:
    """See `udf.speed.Meter`. `count` gives the tokens of some prompts."""

    subject: str
    unit: str
    count: Callable[[Sequence[str]], int]

    def tokens(self, rows: Sequence[Sequence[Any]]) -> int:
        """Tokens of all text arguments."""
        return self.count([value for row in rows for value in row if isinstance(value, str)])


def call_meter(udf: str, constants: Mapping[str, Any], store_root: Path) -> CallMeter:
    """The meter of a UDF called with these constants.

    A UDF whose argument `model` names a checkpoint is measured in that checkpoint's tokens; any other in words.
    """
    folder = store_root / str(constants.get(MODEL) or "").partition("@")[0]
    if not constants.get(MODEL) or not (folder / METADATA).exists():
        return CallMeter(udf, "words", lambda texts: sum(len(text.split()) for text in texts))
    metadata = load_metadata(folder)
    backend = "fake" if metadata.is_fake else constants.get(BACKEND) or metadata.settings.backend
    weights = folder / WEIGHTS
    size = float(f"{weights.stat().st_size / 1e6:.1e}") if weights.exists() else 0
    count = _counter(open_vocabulary(folder, metadata), metadata.settings.max_length)
    return CallMeter(f"{udf} on {backend}, {size:g} MB", "tokens", count)


def _counter(vocabulary: Any, longest: int) -> Callable[[Sequence[str]], int]:
    if isinstance(vocabulary, Vocabulary):
        # One token a word behind `<s>`: the length of what `encode` gives.
        return lambda texts: sum(min(len(text.split()) + 1, longest) for text in texts)

    def count(texts: Sequence[str]) -> int:
        step = max(len(texts) // SAMPLE, 1)
        read = [len(vocabulary.encode(text, longest)) for text in texts[::step]]
        return round(sum(read) * len(texts) / len(read)) if read else 0

    return count
