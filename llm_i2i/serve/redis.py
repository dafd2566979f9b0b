"""An index in Redis: one key an item, all of a version under one prefix, and one key that says which version is current.

```
i2i:current            -> 3f0c...                                  readers look here first
i2i:3f0c...:related:X  -> [["Y", 0.93], ["Z", 0.41], ...]          JSON, best first
i2i:3f0c...:popular    -> [["P", 118], ...]
i2i:3f0c...:settings   -> {"triggers": 10, "decay": 0.5, "exclude_seen": true}
i2i:versions           -> sorted set of the versions there are, by the time they were complete
```

A version's keys are complete before `current` names it. Earlier versions stay for readers that have just read `current`; what is
older is removed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from llm_i2i.errors import LlmI2iError, ProjectError
from llm_i2i.serve.index import Numbers, Related, ServingIndex

BATCH = 1000  # keys a round trip


@dataclass(frozen=True)
class PublishedVersion:
    """What a publication did."""

    version: str
    lists: int
    pairs: int
    removed: list[str]


def publish(
    index: ServingIndex, url: str, prefix: str = "i2i", *, keep: int = 1
) -> PublishedVersion:
    """Write a version, make it the current one in one step, remove those older than `keep` before it.

    Raises:
        LlmI2iError: Redis cannot be reached or refuses; the current version is untouched.
    """
    import redis

    if ":" in prefix or not prefix:
        raise ProjectError("a prefix of keys may not be empty or hold ':'", found=prefix)
    try:
        with redis.Redis.from_url(url, decode_responses=True) as client:
            return _publish(client, index, prefix, keep)
    except ValueError:  # its text may hold a part of the password
        raise ProjectError("this is no address of a Redis", fix="redis://host:6379/0") from None
    except redis.RedisError as error:
        raise LlmI2iError(
            "the index could not be written to Redis; its current version is what it was",
            found=_without_password(str(error), url),
            fix="run the same command again: it writes all keys of the version anew",
        ) from error


def _publish(client: Any, index: ServingIndex, prefix: str, keep: int) -> PublishedVersion:
    version = f"{prefix}:{index.version}"
    lists = 0
    entries = _lists(index, index.related, version)
    while batch := list(islice(entries, BATCH)):
        with client.pipeline(transaction=False) as pipe:
            for key, value in batch:
                pipe.set(key, value)
            pipe.execute()
        lists += len(batch)
    popular = list(zip(index.ids.many(index.popular), index.popular_scores.tolist(), strict=True))
    client.set(f"{version}:popular", _text(popular))
    client.set(f"{version}:settings", _text(asdict(index.settings)))
    with client.pipeline(transaction=True) as pipe:
        pipe.zadd(f"{prefix}:versions", {index.version: time.time()})
        pipe.set(f"{prefix}:current", index.version)
        pipe.execute()
    removed = list(client.zrevrange(f"{prefix}:versions", keep + 1, -1))
    for name in removed:
        _remove(client, prefix, name)
    return PublishedVersion(index.version, lists, index.n_pairs, removed)


def _lists(index: ServingIndex, related: Related, version: str) -> Iterator[tuple[str, str]]:
    """Key and value of each item that has a list."""
    for number in range(index.n_items):
        begin, end = related.offsets[number : number + 2].tolist()
        if begin == end:
            continue
        numbers: Numbers = related.items[begin:end].astype("int64")
        pairs = zip(index.ids.many(numbers), related.scores[begin:end].tolist(), strict=True)
        yield f"{version}:related:{index.ids[number]}", _text(list(pairs))


def _remove(client: Any, prefix: str, version: str) -> None:
    """All keys of a version, without blocking others; its name last, so that a removal cut short is taken up again."""
    keys: list[str] = []
    for key in client.scan_iter(match=f"{_literal(prefix)}:{version}:*", count=BATCH):
        keys.append(key)
        if len(keys) == BATCH:
            client.unlink(*keys)
            keys = []
    if keys:
        client.unlink(*keys)
    client.zrem(f"{prefix}:versions", version)


def _literal(prefix: str) -> str:
    """A prefix as a pattern that matches it alone."""
    return "".join(f"\\{c}" if c in "*?[]\\^" else c for c in prefix)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _without_password(text: str, url: str) -> str:
    """Secrets never reach a message."""
    from urllib.parse import unquote, urlsplit

    password = urlsplit(url).password or ""
    for value in {password, unquote(password)} - {""}:
        text = text.replace(value, "***")
    return text
