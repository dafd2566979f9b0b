"""`json_line(line)` and `plain_text(text)`: what raw files hold, made readable for SQL."""

from __future__ import annotations

import ast
import html
import json

from llm_i2i.udf import scalar_udf


@scalar_udf(returns="VARCHAR")
def json_line(line: str) -> str:
    """A record written as JSON or as a Python literal (Amazon's 2014 files), as JSON; empty if it is neither.

    A literal holds values only: nothing in a line is run.
    """
    for parse in (json.loads, ast.literal_eval):
        try:
            record = parse(line.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(record, dict):
            return json.dumps(record, default=str)
    return ""


@scalar_udf(returns="VARCHAR")
def plain_text(text: str) -> str:
    """Text without HTML entities, on one line: `Tom &amp; Jerry` is `Tom & Jerry`."""
    return " ".join(html.unescape(text).split())
