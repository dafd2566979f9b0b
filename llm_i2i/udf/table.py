"""One call of a table UDF, ready to run here or in a process of its own (`udf.processes`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.errors import LlmI2iError, NodeError
from llm_i2i.udf.context import UdfContext
from llm_i2i.udf.registry import raised

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class TableCall:
    """A table UDF and what it is called with.

    Attributes:
        file: Where the function is defined.
        model: Name of the model that calls it.
        columns: Names of the columns it declares.
        tables: Relations among its arguments.
        constants: The other arguments.
        context: Handed over if the function wants one.
    """

    udf: str
    file: Path
    model: str
    columns: Sequence[str]
    tables: Mapping[str, pa.Table]
    constants: Mapping[str, Any]
    context: UdfContext
    wants_context: bool

    def run(self, function: Callable[..., Any]) -> pa.Table:
        """What the function returns, if it is the relation it declares.

        Raises:
            NodeError: It raised, or returned something else.
        """
        extra = {"context": self.context} if self.wants_context else {}
        try:
            result = function(**self.tables, **self.constants, **extra)
        except LlmI2iError:
            raise
        except (Exception, SystemExit) as error:
            raise raised(
                self.udf,
                error,
                self.file,
                found=f"called by model {self.model!r}",
                fix="mend the function and build again",
            ) from error
        return self._as_declared(result)

    def _as_declared(self, result: Any) -> pa.Table:
        import pyarrow as pa

        found = list(getattr(result, "column_names", [])) or type(result).__name__
        if not isinstance(result, pa.Table) or set(found) != set(self.columns):
            raise NodeError(
                f"UDF {self.udf!r} did not return the relation it declares",
                where=str(self.file),
                found=f"columns {found}",
                fix=f"return a pyarrow.Table with columns {list(self.columns)}",
            )
        return result.select(list(self.columns))
