"""Losses of LLM-I2I, eq. 1-3: weighted negative log-likelihoods of next tokens."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def weighted_mean_loss(nll: Tensor, weights: Tensor, n_targets: float) -> Tensor:
    """Mean SFT loss in nats, with long-tail target items weighted up (LLM-I2I, eq. 2; eq. 1 where all weights are 1).

    Eq. 2 is a sum; we divide by the number of targets so that the value does not grow with the batch. We do not divide by the
    sum of weights: alpha would then lose its effect on the size of the gradient, and the loss would depend on how long-tail
    targets fall into batches.

    Args:
        nll: Negative log-likelihood of each target, float32, shape (targets,).
        weights: alpha where the target item is long-tail, beta otherwise, shape (targets,).
        n_targets: What to divide by: targets in sequence rows, rows in example rows.
    """
    return (weights * nll).sum() / n_targets


def softmax_nll(hidden: Tensor, candidates: Tensor, target_rows: Tensor) -> Tensor:
    """Negative log-likelihood under a softmax over the candidates alone, in float32.

    Args:
        hidden: Final hidden states, shape (targets, d).
        candidates: Output embeddings of all that may be said (every item, or the labels), shape (candidates, d).
        target_rows: Row of `candidates` that is right, int64, shape (targets,).
    """
    return functional.cross_entropy((hidden @ candidates.T).float(), target_rows, reduction="none")


def sampled_softmax_nll(hidden: Tensor, target_rows: Tensor, negatives: Tensor, is_hit: Tensor, n_items: int) -> Tensor:
    """Negative log-likelihood with the softmax's denominator estimated from uniform negatives.

    log Z = logaddexp(z_target, logsumexp(z_negatives) + log(n_items / S)): S uniform draws stand for all items.

    Args:
        hidden: Final hidden states, shape (targets, d).
        target_rows: Output embedding of each target, shape (targets, d).
        negatives: Output embeddings of the S negatives that the batch shares, shape (S, d).
        is_hit: True where a negative is the target itself (it is left out), bool, shape (targets, S).
        n_items: Size of the catalogue.
    """
    positive = (hidden * target_rows).sum(dim=1)
    negative = (hidden @ negatives.T).masked_fill(is_hit, -math.inf)
    rest = negative.logsumexp(dim=1) + math.log(n_items / negatives.shape[0])
    return torch.logaddexp(positive, rest) - positive
