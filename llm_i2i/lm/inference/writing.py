"""Text behind a prompt: several samples at once, each with random numbers of its own, so that batching changes nothing."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Ints = npt.NDArray[np.int64]


@torch.inference_mode()
def write(
    model: Any,
    padded: Ints,
    lengths: Ints,
    n: int,
    max_tokens: int,
    tokenizer: Any,
    *,
    ends: Sequence[int],
    temperature: float,
    top_k: int,
    seed: int,
) -> list[list[str]]:
    """`n` texts behind each prompt; see `TextBackend.generate_text`.

    Args:
        padded: Token ids of the prompts, padded on the right, shape (prompts, longest).
        lengths: Tokens of each prompt.
        ends: Tokens that end a text; none lets every text go on to `max_tokens`.
    """
    prompts = [row[:length].tolist() for row, length in zip(padded, lengths, strict=True)]
    draws = [
        _random_numbers(prompt, sample, seed, max_tokens)
        for prompt in prompts
        for sample in range(n)
    ]
    device = model.get_output_embeddings().weight.device
    rows = _padded_on_the_left([prompt for prompt in prompts for _ in range(n)])
    tokens, mask = (values.to(device) for values in rows)
    chances = torch.from_numpy(np.stack(draws)).to(device)
    closing = torch.tensor(list(ends), dtype=torch.long, device=device)
    written = torch.zeros((len(tokens), 0), dtype=torch.long, device=device)
    done = torch.zeros(len(tokens), dtype=torch.bool, device=device)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    cache = None
    for step in range(max_tokens):
        states = model.base_model(
            input_ids=tokens, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        )  # fmt: skip
        cache = states.past_key_values
        logits = model.get_output_embeddings()(states.last_hidden_state[:, -1]).float()
        chosen = _draw(logits, chances[:, step], temperature, top_k)
        # What a closed text still gets is cut off below.
        done |= torch.isin(chosen, closing)
        written = torch.cat([written, chosen[:, None]], dim=1)
        if bool(done.all()):
            break
        tokens, positions = chosen[:, None], positions[:, -1:] + 1
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
    texts = [_text(row, ends, tokenizer) for row in written.tolist()]
    return [texts[start : start + n] for start in range(0, len(texts), n)]


def _draw(logits: Tensor, chances: Tensor, temperature: float, top_k: int) -> Tensor:
    """One token a row: the one at which the cumulative probability, most probable first, passes the row's chance."""
    if temperature == 0:
        return logits.argmax(dim=1)
    best = logits.topk(min(top_k, logits.shape[1]), dim=1)
    reached = (best.values / temperature).softmax(dim=1).cumsum(dim=1)
    # The last sum may fall short of 1 by rounding.
    place = (reached < chances[:, None]).sum(dim=1).clamp(max=reached.shape[1] - 1)
    return best.indices.gather(1, place[:, None])[:, 0]


def _random_numbers(
    prompt: list[int], sample: int, seed: int, count: int
) -> npt.NDArray[np.float32]:
    digest = hashlib.sha256(repr((prompt, sample, seed)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little")).random(count, np.float32)


def _padded_on_the_left(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    longest = max(map(len, rows))
    tokens = torch.zeros((len(rows), longest), dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for number, row in enumerate(rows):
        tokens[number, longest - len(row) :] = torch.tensor(row)
        mask[number, longest - len(row) :] = 1
    return tokens, mask


def _text(ids: list[int], ends: Sequence[int], tokenizer: Any) -> str:
    kept = list(takewhile(lambda token: token not in ends, ids))
    return str(tokenizer.decode(kept, skip_special_tokens=True)).strip()
