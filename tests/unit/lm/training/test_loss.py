# ruff: noqa: TID253  -- tests of the folder that owns torch.
from __future__ import annotations

import math

import torch

from llm_i2i.lm.training.loss import sampled_softmax_nll, softmax_nll, weighted_mean_loss

NO_HITS = (torch.tensor([], dtype=torch.long), torch.tensor([], dtype=torch.long))


def test_weighted_loss_by_hand():
    # Two targets, three items; logits chosen so that the probabilities are 1/2 and 1/4.
    hidden = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    items = torch.tensor([[math.log(2), 0.0], [0.0, math.log(2)], [0.0, 0.0]])
    nll = softmax_nll(hidden, items, torch.tensor([0, 2]))
    torch.testing.assert_close(nll, torch.tensor([math.log(2), math.log(4)]))
    # alpha = 4 on the second: (1 ln 2 + 4 ln 4) / 2 targets; not divided by the sum of weights, 5.
    loss = weighted_mean_loss(nll, torch.tensor([1.0, 4.0]), 2)
    torch.testing.assert_close(loss, torch.tensor((math.log(2) + 4 * math.log(4)) / 2))


def test_equal_weights_of_one_are_the_unweighted_mean():
    nll = torch.tensor([0.3, 2.0, 1.1])
    torch.testing.assert_close(weighted_mean_loss(nll, torch.ones(3), 3), nll.mean())


def test_sampling_every_other_item_is_the_full_softmax():
    generator = torch.Generator().manual_seed(0)
    hidden, items = torch.randn(5, 8, generator=generator), torch.randn(30, 8, generator=generator)
    targets = torch.tensor([3, 3, 7, 29, 0])
    hits = (targets[:, None] == torch.arange(30)[None, :]).nonzero(as_tuple=True)
    sampled = sampled_softmax_nll(hidden, items[targets], items, hits, 30)
    torch.testing.assert_close(sampled, softmax_nll(hidden, items, targets))


def test_the_denominator_is_right_on_average():
    generator = torch.Generator().manual_seed(0)
    hidden, items = (
        torch.randn(1, 4, generator=generator),
        0.5 * torch.randn(500, 4, generator=generator),
    )
    ratios = []
    exact = softmax_nll(hidden, items, torch.tensor([0]))
    for _ in range(3000):
        drawn = torch.randint(1, 500, (50,), generator=generator)
        nll = sampled_softmax_nll(hidden, items[:1], items[drawn], NO_HITS, 500)
        ratios.append((nll - exact).exp())
    assert abs(torch.stack(ratios).mean().item() - 1.0) < 0.02


def test_gradient_of_the_sampled_softmax():
    generator = torch.Generator().manual_seed(0)
    inputs = [
        torch.randn(n, 4, generator=generator, dtype=torch.float64, requires_grad=True)
        for n in (3, 3, 6)
    ]
    hits = (torch.tensor([1]), torch.tensor([4]))

    def nll(hidden: torch.Tensor, targets: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
        return sampled_softmax_nll(hidden, targets, negatives, hits, 50)

    assert torch.autograd.gradcheck(nll, inputs)


def test_no_overflow_when_every_negative_is_a_hit():
    hidden, rows = torch.full((1, 2), 50.0), torch.full((1, 2), 50.0)
    nll = sampled_softmax_nll(hidden, rows, rows, (torch.tensor([0]), torch.tensor([0])), 10)
    assert nll.isfinite().all()
