"""The port to item embeddings; scipy is imported behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from llm_i2i.lm.backend import missing_extra

if TYPE_CHECKING:
    import pyarrow as pa


def svd_embeddings(
    items: pa.Table, terms: pa.Table | None, events: pa.Table | None, size: int, random_seed: int
) -> npt.NDArray[np.float32]:
    """One vector an item, float32, shape (items, size); see `lm.training.embeddings`.

    Raises:
        LlmI2iError: The relations do not fit, or scipy is not installed.
    """
    try:
        from llm_i2i.lm.training import embeddings
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    vectors: npt.NDArray[np.float32] = embeddings.svd_embeddings(
        items, terms, events, size, random_seed
    )
    return vectors
