"""The port to text embeddings: TF-IDF and SVD over a corpus, or a real encoder where one is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llm_i2i.lm.backend import missing_extra

Floats = npt.NDArray[np.float64]


class TextEmbedder:
    """Unit embeddings of texts, zero for a text of which nothing is known.

    Args:
        corpus: Texts whose words are known; only the TF-IDF reads it.
        encoder: Folder (relative to `base_dir`) or name of an encoder of transformers; None: TF-IDF and SVD.
        size: Width under TF-IDF; an encoder has its own.

    Raises:
        LlmI2iError: The packages are not installed, or the encoder cannot be loaded.
    """

    def __init__(
        self,
        corpus: Sequence[str],
        *,
        encoder: str | None = None,
        size: int = 256,
        random_seed: int = 42,
        base_dir: Path | None = None,
    ) -> None:
        try:
            if encoder is None:
                from llm_i2i.lm.training.texts import TfidfEmbedder

                self._embed = TfidfEmbedder(corpus, size, random_seed).embed
            else:
                from llm_i2i.lm.inference.encoder import MeanPooledEncoder

                folder = (base_dir or Path()) / encoder
                self._embed = MeanPooledEncoder(str(folder) if folder.is_dir() else encoder).embed
        except ModuleNotFoundError as error:
            raise missing_extra(error) from error

    def __call__(self, texts: Sequence[str]) -> Floats:
        """float64, shape (texts, d); a text's embedding does not depend on the others."""
        distinct = list(dict.fromkeys(texts))
        place = {text: row for row, text in enumerate(distinct)}
        found: Floats = self._embed(distinct)
        return found[[place[text] for text in texts]]
