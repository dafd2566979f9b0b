"""Secrets come from the environment, and leave it for the one place that needs them: no text of ours holds them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

# The name says it: AWS_SECRET_ACCESS_KEY, OPENAI_API_KEY, PGPASSWORD, HF_TOKEN, DBT_ENV_SECRET_X. PARTITION_KEY is none.
_SECRET = re.compile(
    r"(^|_)(SECRETS?|[A-Z]*PASSWORD|[A-Z]*PASSWD|PASSPHRASE|TOKEN|CREDENTIALS?|APIKEY|(API|ACCESS|PRIVATE)_?KEY)(_|$)",
    re.IGNORECASE,
)
SHORTEST = 6  # characters: a shorter value stands in too many texts that have nothing to do with it
HIDDEN = "***"


def is_secret(name: str) -> bool:
    """Whether an environment variable holds a secret, by its name."""
    return _SECRET.search(name) is not None


def hide_secrets(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Text with the value of each secret variable replaced, the longest first."""
    values = {
        value.strip()
        for name, value in environment.items()
        if is_secret(name) and len(value.strip()) >= SHORTEST
    }
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text
