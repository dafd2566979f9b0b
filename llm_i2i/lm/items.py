"""The vocabulary: one token per item, one per word. Training and inference read prompts through it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from llm_i2i.errors import LlmI2iError

SPECIAL_WORDS = ("<pad>", "<s>", "</s>", "<unk>")
PAD, BOS, EOS, UNKNOWN = range(4)
FIRST_ITEM = len(SPECIAL_WORDS)


@dataclass(frozen=True)
class Vocabulary:
    """Word level over whitespace: four special words, then all item tokens, then every other word.

    Attributes:
        words: The word of each token id.
        n_items: Item tokens have the ids 4 to 3 + n_items, so that restricting a softmax to valid items is a slice.
    """

    words: tuple[str, ...]
    n_items: int

    @cached_property
    def ids(self) -> dict[str, int]:
        """Token id of each word."""
        return {word: token for token, word in enumerate(self.words)}

    @property
    def item_ids(self) -> range:
        """Token ids of the valid items."""
        return range(FIRST_ITEM, FIRST_ITEM + self.n_items)

    @property
    def item_tokens(self) -> tuple[str, ...]:
        """The item tokens, in the order of their ids."""
        return self.words[FIRST_ITEM : FIRST_ITEM + self.n_items]

    def encode(self, text: str, max_length: int) -> list[int]:
        """Token ids of a prompt behind `<s>`; the oldest items are dropped so that at most `max_length` ids remain."""
        get = self.ids.get
        tokens = [BOS]
        tokens += [get(word, UNKNOWN) for word in text.split()]
        excess = len(tokens) - max_length
        return tokens if excess <= 0 else self._without_oldest_items(tokens, excess)

    def _without_oldest_items(self, tokens: list[int], excess: int) -> list[int]:
        # Words carry the question, so items go first, from the left; only a prompt of words alone loses words.
        items = self.item_ids
        oldest = [place for place, token in enumerate(tokens) if token in items][:excess]
        dropped = set(oldest)
        kept = [token for place, token in enumerate(tokens) if place not in dropped]
        missing = excess - len(oldest)
        return kept[:1] + kept[1 + missing :]


def build_vocabulary(item_tokens: Sequence[str], words: Iterable[str]) -> Vocabulary:
    """Vocabulary of the items, in their order, and of the other words, sorted.

    Raises:
        LlmI2iError: An item token is empty, has whitespace, is a special word, or comes twice.
    """
    items = dict.fromkeys(item_tokens)
    for token in items:
        if not token or token.split() != [token] or token in SPECIAL_WORDS:
            raise _bad_item_token(
                token, "is not one word", "give each item one word such as '<i_123>'"
            )
    if len(items) < len(item_tokens):
        seen: set[str] = set()
        twice = next(t for t in item_tokens if t in seen or seen.add(t))  # type: ignore[func-returns-value]
        raise _bad_item_token(twice, "comes twice", "make item_token unique in the items relation")
    others = sorted(set(words) - items.keys() - set(SPECIAL_WORDS))
    return Vocabulary((*SPECIAL_WORDS, *items, *others), len(items))


def _bad_item_token(token: str, problem: str, fix: str) -> LlmI2iError:
    return LlmI2iError(f"item token {token!r} {problem}", where="items.item_token", fix=fix)
