"""What an item costs as one token, as text under a trie and as semantic codes, by size of the catalogue (`make bench`)."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.ratios import Ratio, Side
from tests.benchmarks.report import write_report

SIZES = (10_000, 100_000, 1_000_000)
KINDS = ("token", "text", "semantic")
HIDDEN = 64
BASE_VOCABULARY = 4000
PROMPTS = 256
TOP = 20
pytestmark = pytest.mark.bench


def item_tokens(kind: str, n_items: int) -> list[str]:
    """Item tokens as the project writes them; text ids look like ten-character product numbers."""
    numbers = np.random.default_rng(0).permutation(n_items)
    if kind == "token":
        return [f"<i_{n}>" for n in numbers]
    if kind == "text":
        return [f"B{n * 7_919_317 % 999_999_937:09d}" for n in numbers.tolist()]
    # Codes as balanced as k-means makes them at best: three levels of 256, then the number within a leaf.
    leaf = numbers * (256**3 // n_items)
    return [f"<a_{k >> 16}> <b_{(k >> 8) & 255}> <c_{k & 255}> <d_0>" for k in leaf.tolist()]


def write(kind: str, n_items: int, folder: Path) -> None:
    """A checkpoint for one row of the table, in a process of its own."""
    from llm_i2i.lm.tokenizer import TokenizerVocabulary
    from tests.tiny_checkpoint import bpe_tokenizer, random_llama, write_checkpoint

    tokens = item_tokens(kind, n_items)
    corpus = item_tokens("text", 10_000)
    tokenizer = bpe_tokenizer(corpus, BASE_VOCABULARY)
    vocabulary = TokenizerVocabulary(tokenizer, tokens, kind)
    model = random_llama(len(tokenizer), hidden_size=HIDDEN, max_length=512)
    write_checkpoint(folder, tokens, kind, max_length=512, model=model, vocabulary=vocabulary)
    print(json.dumps({"table": len(tokenizer) * HIDDEN * 4}))


def serve(folder: Path) -> None:
    """Open the checkpoint and answer prompts; in a process of its own, so that its memory is its own."""
    import torch

    from llm_i2i.lm.inference.transformers import TransformersBackend

    torch.set_num_threads(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    backend = TransformersBackend(folder)
    opened = time.process_time() - started
    started = time.process_time()
    length = backend._item_length
    trie = backend._trie if length > 1 else None
    built = time.process_time() - started
    random = np.random.default_rng(1)
    items = backend.vocabulary.item_tokens
    prompts = []
    for user in range(PROMPTS + 32):
        history = "\n".join(
            f"{n}. {items[i]}" for n, i in enumerate(random.integers(0, len(items), 10), start=1)
        )
        prompts.append(
            f"Shopper: u{user}\nRecent products, oldest first:\n{history}\nNext product ID:"
        )
    backend.top_items(prompts[PROMPTS:], TOP)
    prompt_tokens = float(np.mean([len(backend.vocabulary.encode(p, 512)) for p in prompts]))
    started = time.process_time()
    ranked = backend.top_items(prompts[:PROMPTS], TOP)
    seconds = time.process_time() - started
    assert all(len(found) == TOP for found in ranked)
    result = {
        "opened": opened,
        "built": built,
        "trie": trie.n_bytes if trie else 0,
        "length": float(np.mean([len(s) for s in backend.vocabulary.item_sequences])),
        "prompt_tokens": prompt_tokens,
        "rate": PROMPTS / seconds,
        "rss": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024,
    }
    print(json.dumps(result))


def in_a_process(*arguments: object) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.test_item_ids", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_item_ids_by_catalogue_size(tmp_path: Path) -> None:
    rows, ratios = [], []
    for n_items in SIZES:
        rates: dict[str, Side] = {}
        for kind in KINDS:
            folder = tmp_path / f"{kind}{n_items}"
            made = in_a_process("write", kind, n_items, folder)
            found = in_a_process("serve", folder)
            rates[kind] = Side(kind, found["rate"], "prompts per CPU s")
            if kind != "token":
                name = f"{n_items:,} items, {kind} ids / one token"
                ratios.append(Ratio.of(name, rates[kind], rates["token"], better="higher"))
            mb = 1e6
            rows.append(
                (
                    f"{n_items:,}",
                    kind,
                    found["length"],
                    found["prompt_tokens"],
                    made["table"] / mb,
                    made["table"] * 4096 / HIDDEN / 2 / 1e9,
                    found["trie"] / mb,
                    found["opened"],
                    found["built"],
                    found["rss"] / mb,
                    found["rate"],
                )
            )
            write_report(
                "item_ids",
                f"Items as one token, as text under a trie, as semantic codes: top {TOP} of {PROMPTS} prompts, two-layer random Llama, d = {HIDDEN}, one thread",
                (
                    "items",
                    "ids",
                    "tokens an item",
                    "tokens a prompt",
                    "embedding table MB",
                    "the same at d = 4096, bf16, GB",
                    "trie MB",
                    "open, CPU s",
                    "spell and build trie, CPU s",
                    "memory to open and serve, MB",
                    "prompts per CPU s",
                ),
                rows,
                "pytest -m bench tests/benchmarks/test_item_ids.py",
                ratios,
                ("llm_i2i/lm",),
            )


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    else:
        serve(Path(sys.argv[2]))
