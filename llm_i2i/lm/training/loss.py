"""Losses of LLM-I2I, eq. 1-3: weighted negative log-likelihoods of next tokens."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import math
from typing import Any

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


def sampled_softmax_nll(
    hidden: Tensor,
    target_rows: Tensor,
    negatives: Tensor,
    hits: tuple[Tensor, Tensor],
    n_items: int,
) -> Tensor:
    """Negative log-likelihood with the softmax's denominator estimated from uniform negatives.

    log Z = logaddexp(z_target, logsumexp(z_negatives) + log(n_items / S)): S draws stand for all items.

    Args:
        hidden: Final hidden states, shape (targets, d).
        target_rows: Output embedding of each target, shape (targets, d).
        negatives: Output embeddings of the S negatives that the batch shares, shape (S, d).
        hits: (target, negative) indices where a negative is the target itself: left out of the sum.
        n_items: Size of the catalogue.
    """
    correction = math.log(n_items / negatives.shape[0])
    result: Tensor = _SampledSoftmax.apply(hidden, target_rows, negatives, *hits, correction)
    return result


class _SampledSoftmax(torch.autograd.Function):
    """`sampled_softmax_nll` with its gradient by hand: one (targets, S) array, written in place; autograd keeps three."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        hidden: Tensor,
        target_rows: Tensor,
        negatives: Tensor,
        hit_target: Tensor,
        hit_negative: Tensor,
        correction: float,
    ) -> Tensor:
        positive = (hidden * target_rows).sum(dim=1)
        logits = hidden @ negatives.T
        logits[hit_target, hit_negative] = -math.inf
        # The larger of both terms, so that neither exponential overflows, even where every negative was a hit.
        top = torch.maximum(logits.amax(dim=1), positive - correction)
        scaled = logits.sub_(top[:, None]).exp_()
        log_z = torch.logaddexp(positive, scaled.sum(dim=1).log() + top + correction)
        ctx.save_for_backward(
            hidden, target_rows, negatives, scaled, positive - log_z, top + correction - log_z
        )
        return log_z - positive

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        hidden, target_rows, negatives, scaled, log_p, log_scale = ctx.saved_tensors
        (gradient,) = gradients
        on_target = (gradient * (log_p.exp() - 1.0))[:, None]  # p(target) - 1
        on_negatives = (gradient * log_scale.exp())[:, None]  # times `scaled`: p(negative)
        to_hidden = (scaled @ negatives) * on_negatives + on_target * target_rows
        return to_hidden, on_target * hidden, scaled.T @ (hidden * on_negatives), None, None, None
