"""float32 means float32: what keeps torch from multiplying matrices in fewer bits than their numbers have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def exact_float32() -> Iterator[None]:
    """Multiply float32 matrices on the CPU in float32 inside the block, whatever the process has set; outside, nothing has changed.

    torch may be told to let oneDNN round the factors (`torch.set_float32_matmul_precision`). Processors with matrix units for it
    then compute in bfloat16 and others do not, so equal trainings give other models. Nothing is lost without: on an AMD
    processor with AVX-512 a training step takes as long with MKL in float32 as it took with oneDNN and the permission to round.
    """
    import torch

    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = "ieee"
    try:
        yield
    finally:
        matmul.fp32_precision = before
