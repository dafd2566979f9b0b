"""The vocabulary of a checkpoint that has a tokenizer of its own: item ids as added tokens, as text, or as semantic codes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from llm_i2i.errors import LlmI2iError

ITEMS = "items.json"
ItemIds = Literal["token", "text", "semantic"]


class TokenizerVocabulary:
    """A tokenizer and the items it spells.

    An item is the token sequence of its `item_token`: one added token (`token`), the tokenizer's own pieces of the text (`text`), or
    several code tokens separated by spaces in the item token, such as `<a_12> <b_7> <c_0>` (`semantic`).

    Attributes:
        tokenizer: A fast tokenizer of transformers.
        item_tokens: Item tokens in the order of the items relation.
    """

    def __init__(self, tokenizer: Any, item_tokens: Sequence[str], item_ids: ItemIds) -> None:
        self.tokenizer = tokenizer
        self.item_tokens = tuple(item_tokens)
        self.item_ids = item_ids
        if item_ids != "text":
            words = dict.fromkeys(word for token in self.item_tokens for word in token.split())
            tokenizer.add_tokens(list(words))

    @cached_property
    def item_sequences(self) -> list[tuple[int, ...]]:
        """Token ids of each item as an answer; the end token closes it unless every item is one token."""
        spelled = [tuple(self.answer(token)) for token in self.item_tokens]
        if all(len(ids) == 1 for ids in spelled):
            return spelled
        return [(*ids, self.end) for ids in spelled]

    @property
    def end(self) -> int:
        """The end token."""
        return int(self.tokenizer.eos_token_id)

    def encode(self, prompt: str, max_length: int) -> list[int]:
        """Token ids of a prompt, at most `max_length`, the start token first where the tokenizer has one."""
        ids: list[int] = self.tokenizer(prompt)["input_ids"]
        return ids if len(ids) <= max_length else ids[:1] + ids[len(ids) - max_length + 1 :]

    def answer(self, text: str) -> list[int]:
        """Token ids of an answer behind a prompt (no start token, no end token)."""
        ids: list[int] = self.tokenizer(" " + text.strip(), add_special_tokens=False)["input_ids"]
        return ids

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files and items.json."""
        self.tokenizer.save_pretrained(folder)
        text = json.dumps(
            {"item_ids": self.item_ids, "items": self.item_tokens}, ensure_ascii=False
        )
        (folder / ITEMS).write_text(text + "\n", encoding="utf-8")


def load_tokenizer_vocabulary(folder: Path) -> TokenizerVocabulary:
    """The vocabulary saved in a checkpoint folder.

    Raises:
        LlmI2iError: items.json is missing.
    """
    from transformers import AutoTokenizer

    path = folder / ITEMS
    if not path.exists():
        raise LlmI2iError(f"the checkpoint has no {ITEMS}", where=str(folder))
    values = json.loads(path.read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return TokenizerVocabulary(tokenizer, values["items"], values["item_ids"])
