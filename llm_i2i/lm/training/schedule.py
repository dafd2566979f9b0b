"""Learning rate of each step, a pure function of the settings: nothing of it has to be kept for a resumed training."""

from __future__ import annotations

import math
from collections.abc import Callable

from llm_i2i.lm.settings import TrainingSettings


def learning_rate_schedule(settings: TrainingSettings, total: int) -> Callable[[int], float]:
    """Learning rate of each step (0-based): linear warm-up, then down to 0 after the last step, unless `constant`."""
    warmup = max(1, round(settings.warmup * total))

    def rate(step: int) -> float:
        if step < warmup:
            return settings.learning_rate * (step + 1) / warmup
        if settings.schedule == "constant":
            return settings.learning_rate
        progress = (step - warmup) / max(1, total - warmup)
        if settings.schedule == "linear":
            return settings.learning_rate * (1.0 - progress)
        return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))

    return rate
