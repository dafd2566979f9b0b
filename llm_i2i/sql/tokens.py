"""SQL seen as tokens: cheap answers that need no syntax tree."""

from __future__ import annotations

from collections.abc import Collection

from llm_i2i.errors import ProjectError
from llm_i2i.fingerprint import fingerprint

QUERY_STARTS = {"select", "with", "from", "values", "("}


def canonical_digest(sql: str) -> str:
    """Digest of a query's tokens: comments and layout do not count, everything else does.

    Raises:
        ProjectError: The text cannot be split into tokens (an open quote).
    """
    return fingerprint([[t.token_type.name, _text(t)] for t in _tokenize(sql)])


def check_one_query(sql: str) -> None:
    """A model is one query.

    Raises:
        ProjectError: It is empty, something else, or several statements.
    """
    texts = [token.text.lower() for token in _tokenize(sql)]
    fix = "write one select (or with ... select); a model neither creates nor changes anything"
    if not texts:
        raise ProjectError("the model is empty", found="no SQL besides comments", fix=fix)
    if texts[0] not in QUERY_STARTS:
        raise ProjectError("a model is one select", found=" ".join(texts[:6]), fix=fix)
    if ";" in texts:
        raise ProjectError("a model is one statement", found="a semicolon in the middle", fix=fix)


def called_functions(sql: str, names: Collection[str]) -> set[str]:
    """Those of `names` (lower case) that the query calls."""
    tokens = _tokenize(sql)
    following = [*tokens[1:], None]
    return {
        token.text.lower()
        for token, after in zip(tokens, following, strict=True)
        if token.text.lower() in names and after is not None and after.text == "("
    }


def words(sql: str) -> set[str]:
    """Every word of the query, lower case."""
    return {token.text.lower() for token in _tokenize(sql)}


def is_ordered(sql: str) -> bool:
    """Whether the query itself has an ORDER BY: one in brackets orders a subquery, a window or an aggregate."""
    depth = 0
    for token in _tokenize(sql):
        name = token.token_type.name
        if depth == 0 and name == "ORDER_BY":
            return True
        depth += (name == "L_PAREN") - (name == "R_PAREN")
    return False


def _text(token: object) -> str:
    text: str = token.text  # type: ignore[attr-defined]
    is_quoted = token.token_type.name in ("STRING", "IDENTIFIER")  # type: ignore[attr-defined]
    return text if is_quoted else text.lower()


def _tokenize(sql: str) -> list:  # type: ignore[type-arg]
    from sqlglot.dialects import DuckDB
    from sqlglot.errors import TokenError

    try:
        return list(DuckDB().tokenize(sql))
    except TokenError as error:
        raise ProjectError(
            "the SQL cannot be read", found=str(error), fix="look for an open quote or comment"
        ) from error
