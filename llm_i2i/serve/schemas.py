"""What requests and answers look like: read and written by msgspec, and the source of the OpenAPI document.

The rest of the project has pydantic for this; in a service it is 10 MB more of memory, and takes longer over each answer.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

MAX_ITEMS = 100  # of one query
MAX_EXCLUDED = 5000  # of one query
MAX_K = 500
MAX_QUERIES = 100  # of one batch
MAX_BODY = 1 << 20  # bytes
MAX_ID = 512  # characters of an item id
MAX_SEARCH = 200  # characters
MAX_FOUND = 50

_INT64 = 2**63
_NO_NUL = r"^[^\x00]*$"

# JSON knows one kind of number: 7.0 is the integer 7. Who reads one of these makes it an int.
_UpToMaxK: TypeAlias = (
    Annotated[int, Meta(ge=1, le=MAX_K)] | Annotated[float, Meta(ge=1, le=MAX_K, multiple_of=1)]
)
_UpToMaxItems: TypeAlias = (
    Annotated[int, Meta(ge=1, le=MAX_ITEMS)]
    | Annotated[float, Meta(ge=1, le=MAX_ITEMS, multiple_of=1)]
)
# The pattern is only said, `Query` looks for NUL: msgspec would ask `re` about each item, which takes longer than all else.
_ItemText: TypeAlias = Annotated[
    str, Meta(max_length=MAX_ID, extra_json_schema={"pattern": _NO_NUL})
]
_ItemNumber: TypeAlias = (
    Annotated[int, Meta(ge=-_INT64, le=_INT64 - 1)]
    | Annotated[float, Meta(ge=-_INT64, lt=_INT64, multiple_of=1)]
)


class Query(Struct, forbid_unknown_fields=True):
    """A history to recommend for. What is left out is as the index was evaluated."""

    items: Annotated[
        list[_ItemText | _ItemNumber],
        Meta(
            max_length=MAX_ITEMS,
            description="The history, most recent first. An id that is a number may be written as one.",
        ),
    ]
    k: Annotated[_UpToMaxK, Meta(description="Items wanted, at most.")] = 50
    exclude_seen: Annotated[
        bool | None, Meta(description="Leave out the items of the history.")
    ] = None
    exclude: Annotated[
        list[_ItemText | _ItemNumber],
        Meta(
            max_length=MAX_EXCLUDED,
            description="More items to leave out, such as all that the user ever bought. Those the index does not know are ignored.",
        ),
    ] = []
    decay: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(description="An item of the history weighs decay ^ its age; the first has age 0."),
    ] = None
    triggers: Annotated[
        _UpToMaxItems | None,
        Meta(description="Most recent items that query the index; all are left out as seen."),
    ] = None

    def __post_init__(self) -> None:
        for name, items in (("items", self.items), ("exclude", self.exclude)):
            for place, item in enumerate(items):
                if isinstance(item, str) and "\0" in item:
                    # as msgspec says where; it adds where this query is
                    raise ValueError(f"Expected `str` without NUL - at `$.{name}[{place}]`")


class Batch(Struct, forbid_unknown_fields=True):
    """Several queries at once."""

    queries: Annotated[list[Query], Meta(min_length=1, max_length=MAX_QUERIES)]


class RelatedParameters(Struct, forbid_unknown_fields=True):
    """Parameters of GET /related/{item}."""

    k: Annotated[int, Meta(ge=1, le=MAX_K)] = 50
    index: Literal["augmented", "baseline"] = "augmented"


class SearchParameters(Struct, forbid_unknown_fields=True):
    """Parameters of GET /items."""

    q: Annotated[str, Meta(min_length=1, max_length=MAX_SEARCH, pattern=_NO_NUL)]
    limit: Annotated[int, Meta(ge=1, le=MAX_FOUND)] = 20


class RecommendedItem(Struct):
    """One item of an answer."""

    item: str
    score: Annotated[float, Meta(description="Comparable within the answer.")]
    triggers: Annotated[list[str], Meta(description="Items of the history that brought it.")]


class Answer(Struct):
    """A ranking."""

    version: Annotated[str, Meta(description="Fingerprint of the index that answered.")]
    fallback: Annotated[
        Literal["empty_history", "unknown_items", "no_related_items"] | None,
        Meta(description="Why these are popular items; null: they come from the index."),
    ]
    items: Annotated[
        list[RecommendedItem], Meta(description="Best first; equal scores go by item.")
    ]
    unknown_items: Annotated[
        list[str], Meta(description="Items of the history that the index does not know.")
    ]


class Answers(Struct):
    """Answers of a batch, in the order of its queries."""

    version: str
    answers: list[Answer]


class Item(Struct):
    """What is known of an item; null where the environment has no table of items."""

    item: str
    title: str | None
    is_long_tail: bool | None


class RelatedItem(Item):
    """An item of a list."""

    score: float


class RelatedAnswer(Struct):
    """The list of one item, as the index has it."""

    version: str
    index: Literal["augmented", "baseline"]
    item: Item
    related: list[RelatedItem]


class FoundItems(Struct):
    """Items that a search found."""

    version: str
    items: list[Item]


class Health(Struct):
    """The process answers."""

    status: Literal["ok"]


class Ready(Struct):
    """What is served."""

    status: Literal["ready"]
    environment: str
    version: str
    items: int
    pairs: int
    has_baseline: bool
    refused: Annotated[
        str, Meta(description="Why a newer publication is not served; empty: this is the newest.")
    ]


class Problem(Struct):
    """Where a request is wrong."""

    where: str
    what: str


class Error(Struct):
    """A request that was not answered."""

    error: str
    problems: list[Problem] = []
