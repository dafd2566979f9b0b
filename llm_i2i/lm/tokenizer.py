"""The vocabulary of a checkpoint that has a tokenizer of its own: item ids as added tokens, as text, or as semantic codes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.history import BULLET, TITLE_LIMITS, cut_spans, cut_texts, history_entries

ITEMS = "items.json"
ItemIds = Literal["token", "text", "semantic"]
# Answers stand behind this in every prompt. A tokenizer may write a word at the start of a text otherwise than behind a colon
# (Llama 2 puts a lone blank before " Yes"), so answers are tokenised behind it.
ANCHOR = ":"
CHUNK = 65_536  # answers tokenised in one call


class ChatFrame(NamedTuple):
    """What the chat template of a tokenizer writes around a prompt, up to where the assistant's answer begins.

    It is rendered once and kept in the checkpoint: some templates write the date of today.

    Attributes:
        end: The special token behind an answer. It need not be the end token of the tokenizer: Gemma's turns end with
            `<end_of_turn>`, its texts with `<eos>`. Empty where the template puts none.
    """

    before: str
    behind: str
    end: str = ""


def chat_frame(tokenizer: Any) -> ChatFrame | None:
    """The user's turn and the beginning of the assistant's, without thinking where the template knows it; None without a template.

    Raises:
        LlmI2iError: The template does not show what the user says, exactly once.
    """
    if not getattr(tokenizer, "chat_template", None):
        return None
    said = "THE-PROMPT-STANDS-HERE"
    turns = [{"role": "user", "content": said}]
    text: str = tokenizer.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    if text.count(said) != 1:
        raise LlmI2iError(
            "the chat template of the tokenizer does not show the prompt exactly once",
            where="language_model.chat",
            found=f"{text.count(said)} times in {len(text)} characters",
            fix="set chat: off, or give a tokenizer with another template",
        )
    before, behind = text.split(said)
    return ChatFrame(before, behind, _end_of_answer(tokenizer, turns))


def _end_of_answer(tokenizer: Any, turns: list[dict[str, str]]) -> str:
    answer = "THE-ANSWER-STANDS-HERE"
    text: str = tokenizer.apply_chat_template(
        [*turns, {"role": "assistant", "content": answer}], tokenize=False
    )
    rest = text.rpartition(answer)[2].lstrip()
    special = [token for token in tokenizer.all_special_tokens if rest.startswith(token)]
    return max(special, key=len, default="")


class TokenizerVocabulary:
    """A tokenizer and the items it spells.

    An item is the token sequence of its `item_token`: one added token (`token`), the tokenizer's own pieces of the text (`text`), or
    several code tokens separated by spaces in the item token, such as `<a_12> <b_7> <c_0>` (`semantic`).

    Attributes:
        tokenizer: A fast tokenizer of transformers.
        item_tokens: Item tokens in the order of the items relation.
        chat: The turns around a prompt; None for a model that reads plain text.
        is_list: Prompts are lists to be continued (`lm.history.is_open_list`), an item a line. Each line is tokenised for itself, so
            that a line has the same tokens as an answer, in the history of a prompt and in a row of training.
    """

    def __init__(
        self,
        tokenizer: Any,
        item_tokens: Sequence[str],
        item_ids: ItemIds,
        chat: ChatFrame | None = None,
        *,
        is_list: bool = False,
    ) -> None:
        self.tokenizer = tokenizer
        self.item_tokens = tuple(item_tokens)
        self.item_ids = item_ids
        self.chat = chat
        self.is_list = is_list
        _check_items(self.item_tokens, item_ids)
        if item_ids != "text":
            self._add_item_words()

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.item_tokens)

    @cached_property
    def item_index(self) -> dict[str, int]:
        """0-based number of each item token."""
        return {token: number for number, token in enumerate(self.item_tokens)}

    @cached_property
    def item_sequences(self) -> list[tuple[int, ...]]:
        """Token ids of each item as an answer.

        Where they differ in length the end token closes each: one may then be the beginning of another.

        Raises:
            LlmI2iError: Two items have the same tokens.
        """
        spelled = self._spell_items()
        if len({len(ids) for ids in spelled}) > 1:
            end = self.end
            spelled = [(*ids, end) for ids in spelled]
        if len(set(spelled)) < len(spelled):
            raise self._same_spelling(spelled)
        return spelled

    @property
    def end(self) -> int:
        """The token behind an answer: in a list the end of the line; else the end of the assistant's turn, or the end token.

        Raises:
            LlmI2iError: There is neither.
        """
        if self.is_list:
            return self.line_break[0]
        if self.chat is not None and self.chat.end:
            return int(self.tokenizer.convert_tokens_to_ids(self.chat.end))
        if self.tokenizer.eos_token_id is None:
            raise LlmI2iError(
                "the tokenizer has no end token, and items of unequal length need one",
                where="tokenizer",
                fix="set its eos_token, or take item_ids token or semantic",
            )
        return int(self.tokenizer.eos_token_id)

    @cached_property
    def line_break(self) -> tuple[int, ...]:
        """Token ids between two items of a list: the end of a line, one token, and the bullet of the next."""
        end, bullet = self.tokenizer(["\n", BULLET], add_special_tokens=False)["input_ids"]
        # A tokenizer may begin every text with a blank.
        return (end[-1], *bullet)

    @property
    def ends(self) -> list[int]:
        """Tokens that end a text the model writes: the end of its turn, and the end token."""
        own = [] if self.tokenizer.eos_token_id is None else [int(self.tokenizer.eos_token_id)]
        turn = [self.end] if self.chat is not None and self.chat.end else []
        return list(dict.fromkeys([*turn, *own]))

    def encode(self, prompt: str, max_length: int) -> list[int]:
        """Token ids of a prompt, at most `max_length`, the start token first where the tokenizer adds one.

        What is too long loses the oldest history entries, then the text behind the ids, and only then words from its
        beginning: the newest entry and the question at the end stay as long as they fit at all. Of a chat the turns around the
        prompt stay, too.
        """
        before, behind = self._turns
        room = max(1, max_length - len(before) - len(behind))
        ids = self._ids(prompt)
        if len(ids) > room:
            ids = self._fitted(prompt, len(ids), room)
        return [*before, *ids, *behind]

    def answer(self, text: str) -> list[int]:
        """Token ids of an answer behind a prompt (no start token, no end token)."""
        text = text.strip()
        if self.item_ids != "text" and text in self.item_index:
            ids: list[int] = self.tokenizer.convert_tokens_to_ids(text.split())
            return ids
        return self._behind_anchor([self._gap + text])[0]

    def spellings(self, text: str) -> list[list[int]]:
        """The different ways to write an answer behind a prompt: as `answer`, and without a space before it."""
        plain = self._behind_anchor([text.strip()])[0]
        spaced = self.answer(text)
        return [spaced] if plain == spaced else [spaced, plain]

    def prompt_items(self, prompt: str) -> list[int]:
        """0-based numbers of the items in the history of a prompt, those cut for length included."""
        entries = history_entries(prompt, self.item_index, self._longest)
        return sorted({self.item_index[token] for _, token in entries if token is not None})

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files and items.json."""
        self.tokenizer.save_pretrained(folder)
        values: dict[str, Any] = {"item_ids": self.item_ids, "items": self.item_tokens}
        if self.chat is not None:
            values["chat"] = list(self.chat)
        if self.is_list:
            values["is_list"] = True
        text = json.dumps(values, ensure_ascii=False)
        (folder / ITEMS).write_text(text + "\n", encoding="utf-8")

    @cached_property
    def _longest(self) -> int:
        return max((len(token.split()) for token in self.item_tokens), default=1)

    def _add_item_words(self) -> None:
        from tokenizers import AddedToken

        words = dict.fromkeys(word for token in self.item_tokens for word in token.split())
        known = self.tokenizer.get_vocab()
        # lstrip: the space before an item token is no token of its own.
        new = [
            AddedToken(word, lstrip=True, normalized=False) for word in words if word not in known
        ]
        if new:
            self.tokenizer.add_tokens(new)

    @cached_property
    def _turns(self) -> tuple[list[int], list[int]]:
        """Token ids before and behind a prompt."""
        if self.chat is None:
            return [], []
        before, behind = self.tokenizer(list(self.chat[:2]), add_special_tokens=False)["input_ids"]
        return before, behind

    @property
    def _gap(self) -> str:
        """What stands between a prompt and its answer, apart from what the turns of a chat end with."""
        return " " if self.chat is None or self.chat.behind.endswith(("]", ":")) else ""

    def _ids(self, prompt: str) -> list[int]:
        if self.is_list:
            return self._ids_of_list(prompt)
        # What looks like a special token in a prompt is text: a title "<|im_end|>" must not end a turn.
        ids: list[int] = self.tokenizer(
            prompt, verbose=False, split_special_tokens=True, add_special_tokens=self.chat is None
        )["input_ids"]
        return ids

    def _ids_of_list(self, prompt: str) -> list[int]:
        """A list line by line; where a line is an entry, its tokens are those of an answer. Empty lines are left out."""
        end, *bullet = self.line_break
        lines = [line for line in prompt.split("\n") if line]
        found: list[int] = list(self.tokenizer("", verbose=False)["input_ids"])  # the start token
        for number, line in enumerate(lines):
            found += [end] if number else []
            if line == BULLET or line.startswith(BULLET + " "):
                found += [*bullet, *self.list_entry(line.removeprefix(BULLET).strip())]
            else:
                plain = {"add_special_tokens": False, "split_special_tokens": True}
                found += self.tokenizer(line, verbose=False, **plain)["input_ids"]
        return found

    def list_entry(self, text: str) -> list[int]:
        """Token ids of a line of a list behind its bullet, without the end of the line."""
        known = self._entries.get(text)
        if known is None:
            known = self._entries[text] = self.answer(text) if text else []
        return known

    @cached_property
    def _entries(self) -> dict[str, list[int]]:
        # The end closes items of unequal length; the same line in a history has no end of its own.
        are_closed = len({len(ids) for ids in self.item_sequences}) > 1
        return {
            token: list(ids[:-1] if are_closed else ids)
            for token, ids in zip(self.item_tokens, self.item_sequences, strict=True)
        }

    def _fitted(self, prompt: str, length: int, max_length: int) -> list[int]:
        entries = [
            span for span, _ in history_entries(prompt, self.item_index, self._longest)
        ]  # the newest is the last, and stays
        count = self._entries_to_cut(prompt, entries[:-1], length - max_length)
        while True:
            text = cut_spans(prompt, entries[:count])
            ids = self._ids(text)
            if len(ids) <= max_length:
                return ids
            if count >= len(entries) - 1:
                break
            count += 1
        for limit in TITLE_LIMITS:
            ids = self._ids(cut_texts(text, limit))
            if len(ids) <= max_length:
                return ids
        start = 1 if ids[0] == self.tokenizer.bos_token_id and max_length > 1 else 0
        return ids[:start] + ids[len(ids) - max_length + start :]

    def _entries_to_cut(self, prompt: str, entries: list[tuple[int, int]], excess: int) -> int:
        """How many of the oldest entries hold `excess` tokens: a guess, pieces of a text may join when others go."""
        if not entries:
            return 0
        offsets = self.tokenizer(
            prompt, return_offsets_mapping=True, verbose=False, split_special_tokens=True
        )["offset_mapping"]
        starts = sorted(begin for begin, end in offsets if end > begin)
        place, removed = 0, 0
        for number, (begin, end) in enumerate(entries):
            while place < len(starts) and starts[place] < end:
                removed += starts[place] >= begin
                place += 1
            if removed >= excess:
                return number + 1
        return len(entries)

    def _spell_items(self) -> list[tuple[int, ...]]:
        if self.item_ids != "text":
            convert = self.tokenizer.convert_tokens_to_ids
            return [tuple(convert(token.split())) for token in self.item_tokens]
        texts = [self._gap + token.strip() for token in self.item_tokens]
        chunks = (texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK))
        return [tuple(ids) for chunk in chunks for ids in self._behind_anchor(chunk)]

    def _behind_anchor(self, texts: list[str]) -> list[list[int]]:
        plain = {"add_special_tokens": False, "split_special_tokens": True}
        anchor = ANCHOR if self.chat is None else self.chat.behind[-1]
        anchor = BULLET if self.is_list else anchor
        (head,) = self.tokenizer([anchor], **plain)["input_ids"]
        rows = self.tokenizer([anchor + text for text in texts], **plain)
        found = []
        for text, ids in zip(texts, rows["input_ids"], strict=True):
            if ids[: len(head)] == head and len(ids) > len(head):
                found.append(ids[len(head) :])
            else:  # the tokenizer joins the anchor with what follows
                found.append(self.tokenizer(text, **plain)["input_ids"])
        return found

    def _same_spelling(self, spelled: list[tuple[int, ...]]) -> LlmI2iError:
        first: dict[tuple[int, ...], str] = {}
        for token, ids in zip(self.item_tokens, spelled, strict=True):
            other = first.setdefault(ids, token)
            if other is not token:
                break
        return LlmI2iError(
            f"the tokenizer spells items {other!r} and {token!r} the same way",
            where="items.item_token",
            fix="make the ids differ in more than spaces and case, or take item_ids token",
        )


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
    tokenizer = AutoTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    chat = ChatFrame(*values["chat"]) if "chat" in values else None
    return TokenizerVocabulary(
        tokenizer, values["items"], values["item_ids"], chat, is_list=values.get("is_list", False)
    )


def _check_items(item_tokens: tuple[str, ...], item_ids: ItemIds) -> None:
    for token in item_tokens:
        words = token.split()
        if not words or (item_ids == "token" and words != [token]):
            raise LlmI2iError(
                f"item token {token!r} is not one word" if words else "an item token is empty",
                where="items.item_token",
                fix="give each item one word such as '<i_123>'",
            )
    if len(set(item_tokens)) < len(item_tokens):
        seen: set[str] = set()
        twice = next(t for t in item_tokens if t in seen or seen.add(t))  # type: ignore[func-returns-value]
        raise LlmI2iError(
            f"item token {twice!r} comes twice",
            where="items.item_token",
            fix="make item_token unique in the items relation",
        )
