"""SQL seen as tokens: cheap answers that need no syntax tree."""

from __future__ import annotations

import re
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


# What gives another answer each time; a stored result would keep the first.
_CHANGING_WORDS = {
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
}
_CHANGING_CALLS = set(
    "now today random uuid gen_random_uuid uuidv4 uuidv7 get_current_timestamp get_current_time transaction_timestamp"
    " current_localtime current_localtimestamp nextval currval txid_current getenv getvariable".split()
)
# What reads files that no fingerprint follows.
_FILE_CALLS = set(
    "read_csv read_csv_auto sniff_csv read_parquet parquet_scan parquet_metadata parquet_schema read_json read_json_auto read_json_objects"
    " read_json_objects_auto read_ndjson read_ndjson_auto read_ndjson_objects read_text read_blob read_xlsx read_duckdb glob iceberg_scan delta_scan"
    " sqlite_scan postgres_scan postgres_query mysql_query".split()
)
_FILE_NAME = re.compile(
    r".*\.(csv|tsv|txt|parquet|json|jsonl|ndjson|xlsx|duckdb|db)(\.gz|\.zst)?|.*://.*",
    re.IGNORECASE,
)


def what_changes(sql: str) -> tuple[str, ...]:
    """What a query reads besides its inputs, as it is written: the clock, chance, a file.

    Its result may be another tomorrow although nothing that the fingerprint knows has changed.
    """
    tokens = _tokenize(sql)
    found: list[str] = []
    known = {token.text.lower() for token in tokens}
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        text, kind = token.text.lower(), token.token_type.name
        opens = after is not None and after.text == "("
        if kind not in ("STRING", "IDENTIFIER"):
            if text in _CHANGING_WORDS or (opens and text in _CHANGING_CALLS):
                found.append(f"{text}()" if opens else text)
            elif opens and text in _FILE_CALLS:
                found.append(f"{text}(...)")
            elif "repeatable" not in known and (
                text == "tablesample"
                or (text == "sample" and after is not None and after.text[:1].isdigit())
            ):
                found.append("a sample without repeatable (seed)")
        if (
            kind in ("FROM", "JOIN")
            and after is not None
            and after.token_type.name in ("STRING", "IDENTIFIER")
            and _FILE_NAME.fullmatch(after.text)
        ):
            found.append(f"{text} '{after.text}'")
    return tuple(dict.fromkeys(found))


def reads_files(what: Collection[str]) -> bool:
    """Whether what `what_changes` found are files, at least one of them."""
    return any(one.endswith("(...)") or one.startswith(("from ", "join ")) for one in what)


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
