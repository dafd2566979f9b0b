"""What vLLM is asked, in process or as a server: restrict an answer to items, name tokens, make room for the answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llm_i2i.lm.checkpoint import load_metadata
from llm_i2i.lm.inference.ranking import other_tokens
from llm_i2i.lm.items import Vocabulary

MAX_ASKED = 128  # vLLM's bound on logprob_token_ids; beyond it the whole vocabulary comes back
BARRED = -100.0  # the lowest logit bias: e^-100 of the mass, far below float32


def items_only(vocabulary: Vocabulary) -> dict[str, Any]:
    """Parameters that leave only items to an answer: whichever list is shorter, since it goes with every prompt.

    With 12,000 items and 4 other tokens the bias is some five times as fast as the list of allowed tokens.
    """
    others = other_tokens(vocabulary)
    if len(others) < vocabulary.n_items:
        return {"logit_bias": dict.fromkeys(others, BARRED)}
    return {"allowed_token_ids": list(vocabulary.item_ids)}


def asked(ids: Sequence[int]) -> dict[str, Any]:
    """Parameters that bring the log-probabilities of these tokens."""
    return {"logprob_token_ids": list(ids)} if len(ids) <= MAX_ASKED else {"logprobs": -1}


def room(folder: Path) -> tuple[int, dict[str, int]]:
    """Longest sequence of prompt and answer (one token), and what of the model's config must be overridden for it.

    A model trained on `max_length` positions is asked for one more: rotary positions go on, only the check is lifted.
    """
    length = load_metadata(folder).settings.max_length + 1
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    fits = config.get("max_position_embeddings", length) >= length
    return length, {} if fits else {"max_position_embeddings": length}
