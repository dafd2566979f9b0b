"""What requests and answers look like: checked by pydantic, and the source of the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MAX_ITEMS = 100  # of one query
MAX_K = 500
MAX_QUERIES = 100  # of one batch
MAX_BODY = 1 << 20  # bytes
MAX_ID = 512  # characters of an item id
MAX_SEARCH = 200  # characters
MAX_FOUND = 50

_INT64 = 2**63


def _whole(value: Any) -> Any:
    """JSON knows one kind of number: 7.0 is the integer 7."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_WHOLE = BeforeValidator(_whole)
ItemText = Annotated[str, Field(max_length=MAX_ID, pattern=r"^[^\x00]*$")]
ItemNumber = Annotated[int, Field(ge=-_INT64, lt=_INT64), _WHOLE]
ItemId = Annotated[ItemText | ItemNumber, Field(union_mode="left_to_right")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Query(_Request):
    """A history to recommend for. What is left out is as the index was evaluated."""

    items: Annotated[list[ItemId], Field(max_length=MAX_ITEMS)] = Field(
        description="The history, most recent first. An id that is a number may be written as one."
    )
    k: Annotated[int, Field(ge=1, le=MAX_K), _WHOLE] = Field(
        50, description="Items wanted, at most."
    )
    exclude_seen: bool | None = Field(None, description="Leave out the items of the history.")
    decay: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="An item of the history weighs decay ^ its age; the first has age 0."
    )
    triggers: Annotated[int, Field(ge=1, le=MAX_ITEMS), _WHOLE] | None = Field(
        None, description="Most recent items that query the index; all are left out as seen."
    )


class Batch(_Request):
    """Several queries at once."""

    queries: Annotated[list[Query], Field(min_length=1, max_length=MAX_QUERIES)]


class RelatedParameters(_Request):
    """Parameters of GET /related/{item}."""

    model_config = ConfigDict(strict=False)

    k: Annotated[int, Field(ge=1, le=MAX_K), _WHOLE] = 50
    index: Literal["augmented", "baseline"] = "augmented"


class SearchParameters(_Request):
    """Parameters of GET /items."""

    model_config = ConfigDict(strict=False)

    q: Annotated[str, Field(min_length=1, max_length=MAX_SEARCH, pattern=r"^[^\x00]*$")]
    limit: Annotated[int, Field(ge=1, le=MAX_FOUND), _WHOLE] = 20


class RecommendedItem(BaseModel):
    """One item of an answer."""

    item: str
    score: float = Field(description="Comparable within the answer.")
    triggers: list[str] = Field(description="Items of the history that brought it.")


class Answer(BaseModel):
    """A ranking."""

    version: str = Field(description="Fingerprint of the index that answered.")
    fallback: Literal["empty_history", "unknown_items", "no_related_items"] | None = Field(
        description="Why these are popular items; null: they come from the index."
    )
    items: list[RecommendedItem] = Field(description="Best first; equal scores go by item.")
    unknown_items: list[str] = Field(
        description="Items of the history that the index does not know."
    )


class Answers(BaseModel):
    """Answers of a batch, in the order of its queries."""

    version: str
    answers: list[Answer]


class Item(BaseModel):
    """What is known of an item; null where the environment has no table of items."""

    item: str
    title: str | None
    is_long_tail: bool | None


class RelatedItem(Item):
    """An item of a list."""

    score: float


class RelatedAnswer(BaseModel):
    """The list of one item, as the index has it."""

    version: str
    index: Literal["augmented", "baseline"]
    item: Item
    related: list[RelatedItem]


class FoundItems(BaseModel):
    """Items that a search found."""

    version: str
    items: list[Item]


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Ready(BaseModel):
    """What is served."""

    status: Literal["ready"]
    environment: str
    version: str
    items: int
    pairs: int
    has_baseline: bool
    refused: str = Field(
        description="Why a newer publication is not served; empty: this is the newest."
    )


class Problem(BaseModel):
    """Where a request is wrong."""

    where: str
    what: str


class Error(BaseModel):
    """A request that was not answered."""

    error: str
    problems: list[Problem] = []
