"""What a batch UDF answered, checked against what it declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_i2i.errors import NodeError
from llm_i2i.udf.context import RowError

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from llm_i2i.udf.signature import Signature


def judge(
    signature: Signature, file: Path, values: list[Any], result_type: pa.DataType
) -> tuple[list[Any], pa.Array]:
    """The values, and those of the rows that did not fail in the declared type.

    NaN is no answer, and DuckDB holds it greater than any number: a row with one, however deep, has failed.
    """
    import pyarrow as pa

    results = _as_array(signature, file, values, result_type)
    bad = _rows_with_nan(results)
    if not bad:
        return values, results
    good = [i for i, value in enumerate(values) if not isinstance(value, RowError)]
    values = list(values)
    for number in bad:
        values[good[number]] = RowError("the answer is not a number (NaN)")
    whole = [number for number in range(len(good)) if number not in bad]
    return values, results.take(pa.array(whole, type=pa.int64()))


def _as_array(
    signature: Signature, file: Path, values: list[Any], result_type: pa.DataType
) -> pa.Array:
    """The results of the rows that did not fail, in the declared type."""
    import pyarrow as pa

    good = [value for value in values if not isinstance(value, RowError)]
    _check_fields(signature, file, good, result_type)
    try:
        return pa.array(good, type=result_type)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise NodeError(
            f"UDF {signature.name!r} returned values that are no {signature.returns}",
            where=str(file),
            found=f"{error}; for example {good[0]!r}"[:300],
            fix="return values of the declared type",
        ) from error


def _rows_with_nan(array: pa.Array) -> set[int]:
    """Numbers of the rows that hold NaN, in structs and lists too."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(array.type):
        is_nan = pc.fill_null(pc.is_nan(array), False)
        return set(pc.indices_nonzero(is_nan).to_pylist())
    if pa.types.is_struct(array.type):
        return {row for part in array.flatten() for row in _rows_with_nan(part)}
    if pa.types.is_list(array.type):
        rows = pc.list_parent_indices(array)
        return {rows[i].as_py() for i in _rows_with_nan(array.flatten())}
    return set()


def _check_fields(
    signature: Signature, file: Path, values: list[Any], result_type: pa.DataType
) -> None:
    """Arrow drops unknown keys of a dict and leaves missing ones null; here both are mistakes."""
    import pyarrow as pa

    if pa.types.is_list(result_type):
        values = [element for value in values if isinstance(value, list) for element in value[:1]]
        result_type = result_type.value_type
    if not pa.types.is_struct(result_type):
        return
    wanted = {result_type.field(i).name for i in range(result_type.num_fields)}
    for value in values:
        if isinstance(value, dict) and set(value) != wanted:
            raise NodeError(
                f"UDF {signature.name!r} returned other fields than it declares",
                where=str(file),
                found=", ".join(map(str, value)),
                fix=f"return dicts with the keys {', '.join(sorted(wanted))}",
            )
