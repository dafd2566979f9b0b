# ruff: noqa: TID253  -- tests of the folder that owns torch.
"""No matrix product of a model made from sizes rounds its factors, on any processor: each is compared with that of doubles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from llm_i2i.lm.inference.transformers import TransformersBackend
from llm_i2i.lm.open import train_checkpoint
from llm_i2i.lm.precision import exact_float32
from llm_i2i.lm.settings import FromSizesSettings
from llm_i2i.lm.training.sft import private_torch_state

Tiny = Callable[..., FromSizesSettings]

PRODUCTS = {"mm", "bmm", "addmm", "baddbmm"}
# float32 sums of a few hundred terms err by some 2^-22 of the sum of absolute terms; factors rounded to the eleven bits of
# TensorFloat-32 by some 2^-15, to the eight of bfloat16 by 2^-12.
TOLERANCE = 2.0**-19


class WatchedProducts(TorchDispatchMode):
    """Recomputes each matrix product inside the block in doubles.

    Attributes:
        worst: Largest error seen, as a share of the sum of the absolute terms.
        shapes: Operation and shapes of the factors -> times seen.
    """

    def __init__(
        self, change: Callable[[torch.Tensor], torch.Tensor] = lambda factor: factor
    ) -> None:
        super().__init__()
        self.change = change
        self.worst = 0.0
        self.shapes: Counter[tuple[str, tuple[int, ...], tuple[int, ...]]] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:  # fmt: skip
        name = func.overloadpacket.__name__
        if name not in PRODUCTS:
            return func(*args, **(kwargs or {}))
        assert all(a.dtype == torch.float32 for a in args)
        result = func(*map(self.change, args), **(kwargs or {}))
        exact = func(*(a.double() for a in args))
        terms = func(*(a.double().abs() for a in args))
        error = ((result - exact).abs() / terms.clamp_min(1e-30)).max().item()
        self.worst = max(self.worst, error)
        left, right = args[-2:]
        self.shapes[name, tuple(left.shape), tuple(right.shape)] += 1
        return result


@pytest.fixture(params=["highest", "medium"])
def process_precision(request: pytest.FixtureRequest) -> Iterator[str]:
    """What the process allows: float32 as it is, and the permission to round."""
    before = torch.get_float32_matmul_precision()
    matmul = torch.backends.mkldnn.matmul
    own = matmul.fp32_precision
    torch.set_float32_matmul_precision(request.param)
    matmul.fp32_precision = "bf16" if request.param == "medium" else "ieee"
    yield request.param
    torch.set_float32_matmul_precision(before)
    matmul.fp32_precision = own


@pytest.mark.parametrize("sampled", [False, True], ids=["full softmax", "sampled softmax"])
def test_training_multiplies_in_float32(
    folder: Path, sequences: pa.Table, items: pa.Table, tiny: Tiny, process_precision: str, sampled: bool
):  # fmt: skip
    wide = {"hidden_size": 64, "num_heads": 2}
    few = {"full_softmax_items": 0, "sampled_negatives": 5} if sampled else {}
    with WatchedProducts() as watched:
        train_checkpoint(sequences, folder, tiny(epochs=1, **wide, **few), items=items)
    assert watched.worst < TOLERANCE
    # Forward (n, d) x (d, m), and the gradients of both factors, by which a weight is as wide as it is long.
    gradients = [
        shape for shape in watched.shapes if shape[1][0] == 64 and shape[1][1] not in (64, 128)
    ]
    assert sum(watched.shapes.values()) > 50
    assert gradients


def test_judges_are_trained_in_float32(
    folder: Path, questions: pa.Table, tiny: Tiny, process_precision: str
):
    with WatchedProducts() as watched:
        train_checkpoint(questions, folder, tiny(epochs=1, hidden_size=64))
    assert watched.worst < TOLERANCE
    assert sum(watched.shapes.values()) > 50


@pytest.mark.parametrize(
    "rounded",
    [
        lambda factor: factor.bfloat16().float(),
        # TensorFloat-32 keeps ten bits behind the first, so thirteen of the mantissa go.
        lambda factor: (factor.view(torch.int32) & -(1 << 13)).view(torch.float32),
    ],
    ids=["bfloat16", "tf32"],
)
def test_the_watch_sees_what_rounds(
    folder: Path, sequences: pa.Table, tiny: Tiny, rounded: Callable[[torch.Tensor], torch.Tensor]
):
    with WatchedProducts(lambda factor: rounded(factor.contiguous())) as watched:
        train_checkpoint(sequences, folder, tiny(epochs=1, hidden_size=64))
    assert watched.worst > 8 * TOLERANCE


def test_a_product_of_which_bfloat16_loses_a_part(process_precision: str):
    """64 terms of 1 + 2^-11: float32 holds each partial sum exactly; TensorFloat-32 and bfloat16 take the factor for 1."""
    factor = 1 + 2.0**-11
    left = torch.full((512, 64), factor, requires_grad=True)
    right = torch.ones(64, 256, requires_grad=True)
    with private_torch_state(seed=1, threads=1):
        product = left @ right
        batches = left.view(8, 64, 64) @ right.view(4, 64, 64).repeat(2, 1, 1)
        (to_left,) = torch.autograd.grad(
            product, left, torch.full((512, 256), factor), retain_graph=True
        )
        (to_right,) = torch.autograd.grad(product, right, torch.ones(512, 256))
    assert (product == 64 * factor).all()
    assert (batches == 64 * factor).all()
    assert (to_left == 256 * factor).all()
    assert (to_right == 512 * factor).all()


def test_inference_multiplies_in_float32(
    folder: Path, sequences: pa.Table, items: pa.Table, tiny: Tiny, process_precision: str
):
    """The prompts' trees run in threads of their own, so answers are compared, with those of the same weights in doubles."""
    settings = tiny(epochs=40, learning_rate=1e-2, dropout=0.0, hidden_size=64)
    train_checkpoint(sequences, folder, settings, items=items)
    backend = TransformersBackend(folder)
    prompts = ["Recent <i_4> <i_5>", "Recent <i_7> <i_8> <i_9>", "Recent <i_1>"]
    found = backend.top_items(prompts, 5)
    labels = backend.label_logits(prompts, ["<i_2>", "<i_6>"])
    ids = backend.vocabulary.ids
    model = backend.model.double()
    for prompt, best, two in zip(prompts, found, labels, strict=True):
        with torch.no_grad():
            logits = model(torch.tensor([backend.vocabulary.encode(prompt, 50)])).logits[0, -1]
        own = logits[list(backend.vocabulary.item_ids)].logsumexp(0)
        exact = [(logits[ids[item]] - own).item() for item, _ in best]
        np.testing.assert_allclose([value for _, value in best], exact, atol=2e-5)
        np.testing.assert_allclose(
            two, [logits[ids[w]].item() for w in ("<i_2>", "<i_6>")], atol=2e-5
        )


def test_what_the_process_has_set_comes_back(process_precision: str):
    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    with exact_float32():
        assert matmul.fp32_precision == "ieee"
    assert matmul.fp32_precision == before
