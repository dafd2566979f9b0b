"""Registered Python functions: declare with a decorator, call from SQL."""

from llm_i2i.udf.context import RowError, UdfContext
from llm_i2i.udf.decorators import batch_udf, scalar_udf, table_udf

__all__ = ["RowError", "UdfContext", "batch_udf", "scalar_udf", "table_udf"]
