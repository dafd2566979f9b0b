"""What the files of a source are read as: ids, times and text that are easily misread, text files of many kinds, Parquet files that differ.

Every case is a file as somebody exports it, and what it must be read as, or the error that says what to do.
"""

from __future__ import annotations

import gzip
import json
import uuid
from pathlib import Path
from typing import Any

import duckdb
import pytest

from llm_i2i.engine.duckdb import DuckDBEngine
from llm_i2i.errors import ProjectError
from llm_i2i.graph.node import Node
from llm_i2i.runner.base.sources import JsonCache, SourceFiles
from llm_i2i.runner.remote.databases import Database
from llm_i2i.runner.remote.sources import RemoteSources

COLUMNS = ("user_id", "item_id", "timestamp")


def log_node(path: Path, **reading: Any) -> Node:
    """A source of events, as the reference project declares one."""
    config = {"ids": {"user_id": "user", "item_id": "item"}, "reading": reading}
    return Node("log__events", "models/log.yml", "source", file_path=str(path), columns=COLUMNS, config=config)  # fmt: skip


def items_node(path: Path, **config: Any) -> Node:
    config = {"ids": {"item_id": "item"}, "list_separator": " > ", **config}
    return Node("log__items", "models/log.yml", "source", file_path=str(path), columns=("item_id",), config=config)  # fmt: skip


def source_files(folder: Path, *nodes: Node) -> SourceFiles:
    reader = Node("model", "models/model.sql", "table", reads=tuple(n.name for n in nodes))
    known = {node.name: node for node in (*nodes, reader)}
    digests = JsonCache(folder / "cache" / "files.json")
    return SourceFiles(folder, digests, RemoteSources(folder, folder, no_database), lambda: known)


def no_database(alias: str) -> Database:
    raise AssertionError(alias)


def read(folder: Path, node: Node, *others: Node) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    """Types of the columns, and all rows."""
    engine = DuckDBEngine(threads=1)
    sources = source_files(folder, node, *others)
    columns = sources.columns(node, engine)
    rows = engine.rows(sources.scan(node))
    engine.close()
    return dict(columns), rows


def csv_of(*values: str, column: str = "item_id") -> str:
    """A log with these values, one a line, in one of its columns."""
    fixed = {"user_id": "u", "item_id": "i", "timestamp": "1"}
    lines = [",".join((fixed | {column: value})[name] for name in COLUMNS) for value in values]
    return "\n".join([",".join(COLUMNS), *lines]) + "\n"


# -- ids -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "20", "-3"], [1, 20, -3]),
        (["12.0", "7.0", "9"], [12, 7, 9]),  # what pandas writes once a value is missing
        (["9223372036854775807", "1"], [9223372036854775807, 1]),
        (["9223372036854775808", "1"], ["9223372036854775808", "1"]),
        (["12345678901234567890123", "1"], ["12345678901234567890123", "1"]),
        (["7", "", " ", "8"], [7, None, None, 8]),
        ([" 7", "8 "], [7, 8]),
        (["007", "7"], ["007", "7"]),
        (["+7", "7"], ["+7", "7"]),
        (["-0", "0"], ["-0", "0"]),
        (["1e5", "100000"], ["1e5", "100000"]),
        (["1.23E+12", "1.24E+12"], ["1.23E+12", "1.24E+12"]),
        (["100.1", "100.10"], ["100.1", "100.10"]),
        (["12.0", "12.00"], ["12.0", "12.00"]),
        (["10-11-12", "25-12-10"], ["10-11-12", "25-12-10"]),
        (["2024-01-02", "2024-01-03"], ["2024-01-02", "2024-01-03"]),
        (["2024-01-02 10:00:00"], ["2024-01-02 10:00:00"]),
        (["10:30:00", "11:00:00"], ["10:30:00", "11:00:00"]),
        (["true", "false"], ["true", "false"]),
        (["inf", "nan"], ["inf", "nan"]),
        (["1_000", "0x1F", "1,5"][:2], ["1_000", "0x1F"]),
        (["A7", "7"], ["A7", "7"]),
        (["#1", "#2"], ["#1", "#2"]),  # no comments
        (['"a,b"', '"say ""hi"""'], ["a,b", 'say "hi"']),
        (
            ["CADFF918-c41a-66d9-82fa-4d7a28d2e08e", "cadff918-c41a-66d9-82fa-4d7a28d2e08e"],
            ["CADFF918-c41a-66d9-82fa-4d7a28d2e08e", "cadff918-c41a-66d9-82fa-4d7a28d2e08e"],
        ),
    ],
)
def test_ids_of_csv_files(tmp_path: Path, values: list[str], expected: list[Any]) -> None:
    (tmp_path / "log.csv").write_text(csv_of(*values))
    types, rows = read(tmp_path, log_node(tmp_path / "log.csv"))
    assert [row[1] for row in rows] == expected
    assert types["item_id"] == ("BIGINT" if isinstance(expected[0], int) else "VARCHAR")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7, 8], [7, 8]),
        ([7, "8"], [7, 8]),
        ([7.0, 8], [7, 8]),
        ([7, "7", "007", "A7"], ["7", "7", "007", "A7"]),
        ([7.0, "A7"], ["7", "A7"]),
        ([100000.0, "x"], ["100000", "x"]),
        (["10-11-2012", "25-12-2010"], ["10-11-2012", "25-12-2010"]),
        (["2024-01-02T10:00:00"], ["2024-01-02T10:00:00"]),
        (["100.1", "100.10"], ["100.1", "100.10"]),
        (
            ["E5446DD4-552b-82f6-be3e-dc0a1ef2a4f0", None],
            ["E5446DD4-552b-82f6-be3e-dc0a1ef2a4f0", None],
        ),
        ([True, "a"], ["true", "a"]),
        ([12345678901234567890, 1], ["12345678901234567890", "1"]),
        ([123456789012345678901234567890, 1], ["123456789012345678901234567890", "1"]),
        ([" padded ", "x"], [" padded ", "x"]),
    ],
)
@pytest.mark.parametrize("as_list", [False, True])
def test_ids_of_json_files(
    tmp_path: Path, values: list[Any], expected: list[Any], as_list: bool
) -> None:
    records = [{"user_id": 1, "item_id": value, "timestamp": 1} for value in values]
    text = json.dumps(records) if as_list else "\n".join(map(json.dumps, records))
    (tmp_path / "log.json").write_text(text)
    types, rows = read(tmp_path, log_node(tmp_path / "log.json"))
    assert [row[1] for row in rows] == expected
    assert types["item_id"] == ("BIGINT" if isinstance(expected[0], int) else "VARCHAR")


def write_parquet(path: Path, item: str, values: str, user: str = "1") -> Path:
    duckdb.sql(f"copy (select {user} as user_id, {item} as item_id, 1 as timestamp from (values {values}) as t(v)) to '{path}' (format parquet)")  # fmt: skip
    return path


UUID = "cadff918-c41a-66d9-82fa-4d7a28d2e08e"


@pytest.mark.parametrize(
    ("item", "values", "expected"),
    [
        ("v::uuid", f"('{UUID}')", [UUID]),
        ("unhex(v)", f"('{uuid.UUID(UUID).hex}')", [UUID]),
        ("v::blob", "('abc'), ('007')", ["abc", "007"]),
        ("v::double", "(12.0), (13.0)", [12, 13]),
        ("v::double", "('12.0'), ('nan')", [12, None]),
        ("v::double", "(100.1), (100.2)", ["100.1", "100.2"]),
        ("v::float", "(12.0), (13.0)", [12, 13]),
        ("v::decimal(9, 2)", "(100.10), (1.00)", ["100.10", "1.00"]),
        ("v::decimal(9, 2)", "(12.00), (1.00)", [12, 1]),
        ("v::ubigint", "(7), (18446744073709551615)", ["7", "18446744073709551615"]),
        ("v::ubigint", "(7), (8)", [7, 8]),
        ("v::integer", "(7), (8)", [7, 8]),
        ("v::date", "('2024-01-02')", ["2024-01-02"]),
        ("v::boolean", "(true)", ["true"]),
        ("v::varchar", "('7'), ('007')", ["7", "007"]),
    ],
)
def test_ids_of_parquet_files(tmp_path: Path, item: str, values: str, expected: list[Any]) -> None:
    path = write_parquet(tmp_path / "log.parquet", item, values)
    assert [row[1] for row in read(tmp_path, log_node(path))[1]] == expected


@pytest.mark.parametrize(
    ("item", "values", "found"),
    [
        ("v::float", "(16777217), (16777300)", "FLOAT"),
        ("v::double", "(9007199254740993), (9007199254740995)", "DOUBLE"),
        ("v::blob", r"('\xAA\xFF')", "bytes that are neither text nor UUIDs"),
        ("[v]", "(1)", "several values in one row"),
    ],
)
def test_parquet_columns_that_cannot_hold_ids(
    tmp_path: Path, item: str, values: str, found: str
) -> None:
    path = write_parquet(tmp_path / "log.parquet", item, values)
    with pytest.raises(ProjectError, match=r"column 'item_id' of source log\.events") as error:
        read(tmp_path, log_node(path))
    assert found in error.value.found
    assert error.value.fix


@pytest.mark.parametrize(
    ("first", "second"), [("1::bigint", "'001'"), ("'a'", "1"), ("1", "1.5::double")]
)
def test_parquet_files_of_different_types_are_refused(
    tmp_path: Path, first: str, second: str
) -> None:
    write_parquet(tmp_path / "1.parquet", first, "(0)")
    write_parquet(tmp_path / "2.parquet", second, "(0)")
    with pytest.raises(ProjectError, match="different types in column 'item_id'") as error:
        read(tmp_path, log_node(tmp_path / "*.parquet"))
    assert error.value.where == str(tmp_path / "2.parquet")
    assert "in 1.parquet" in error.value.found


def test_parquet_files_with_integers_of_different_widths_are_one(tmp_path: Path) -> None:
    write_parquet(tmp_path / "1.parquet", "v::integer", "(1)")
    write_parquet(tmp_path / "2.parquet", "v::bigint", "(2)")
    assert [r[1] for r in read(tmp_path, log_node(tmp_path / "*.parquet"))[1]] == [1, 2]


@pytest.mark.parametrize(
    ("log", "items", "expected"),
    [
        (["12.0", "13.0"], ["12", "A7"], ["12", "13"]),
        (["7", "8"], ["007", "7"], ["7", "8"]),
        (["7", "8"], [], [7, 8]),  # a header alone says nothing of types
        (["a", "b"], [], ["a", "b"]),
        (["7", "8"], ["7.0"], [7, 8]),
        (["007"], ["7"], ["007"]),
    ],
)
def test_ids_have_one_type_in_the_log_and_the_items_file(
    tmp_path: Path, log: list[str], items: list[str], expected: list[Any]
) -> None:
    (tmp_path / "log.csv").write_text(csv_of(*log))
    (tmp_path / "items.csv").write_text("\n".join(["item_id,title", *(f"{i},t" for i in items)]))
    nodes = log_node(tmp_path / "log.csv"), items_node(tmp_path / "items.csv")
    types, rows = read(tmp_path, *nodes)
    assert [row[1] for row in rows] == expected
    items_types, _ = read(tmp_path, nodes[1], nodes[0])
    assert items_types["item_id"] == types["item_id"]


def test_a_log_is_read_anew_when_the_items_file_makes_its_ids_text(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(csv_of("7", "8"))
    (tmp_path / "items.csv").write_text("item_id,title\n7,t\n")
    log, items = log_node(tmp_path / "log.csv"), items_node(tmp_path / "items.csv")
    before = source_files(tmp_path, log, items).fingerprint(log)
    (tmp_path / "items.csv").write_text("item_id,title\n7,t\nA8,t\n")
    assert source_files(tmp_path, log, items).fingerprint(log) != before


# -- times and other values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "sql_type", "first"),
    [
        (["2024-12-25", "2025-01-03"], "DATE", "2024-12-25"),
        (["2024/12/25 10:30"], "TIMESTAMP", "2024-12-25 10:30:00"),
        (["2024-12-25T10:30:00.5", "2024-12-25"], "TIMESTAMP", "2024-12-25 10:30:00.5"),
        (["2024-12-25T10:30:00Z"], "TIMESTAMP", "2024-12-25 10:30:00"),
        (
            ["2024-12-25T10:30:00+02:00", "2024-12-25T10:30:00Z"],
            "TIMESTAMP",
            "2024-12-25 08:30:00",
        ),
        (["2024-12-25T10:30:00+0530"], "TIMESTAMP", "2024-12-25 05:00:00"),
        (["2024-12-25T10:30:00+02:00", "2024-12-25T10:30:00"], "VARCHAR", None),  # whose time?
        (["25.12.24", "03.01.25"], "VARCHAR", None),
        (["25/12/24 10:30"], "VARCHAR", None),
        (["05/01/2024", "06/01/2024"], "VARCHAR", None),
        (["05/01/2024", "25/01/2024"], "VARCHAR", None),
        (["05-01-2024"], "VARCHAR", None),
        (["24-12-25"], "VARCHAR", None),
        (["Dec 25 2024"], "VARCHAR", None),
        (["2024-13-01"], "VARCHAR", None),
        (["10:30:00"], "VARCHAR", None),
        (["1700000000", "1700000001"], "BIGINT", "1700000000"),
        (["1700000000.25", "1"], "DOUBLE", "1700000000.25"),
        (["1.7e9"], "DOUBLE", "1700000000.0"),
        (["nan", "1"], "VARCHAR", None),
        (["20241225", "20250103"], "BIGINT", "20241225"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "json"])
def test_times(
    tmp_path: Path, values: list[str], sql_type: str, first: str | None, form: str
) -> None:
    path = tmp_path / f"log.{form}"
    records = [{"user_id": "u", "item_id": "i", "timestamp": value} for value in values]
    path.write_text(
        csv_of(*values, column="timestamp")
        if form == "csv"
        else "\n".join(map(json.dumps, records))
    )
    node = log_node(path)
    types, _ = read(tmp_path, node)
    assert types["timestamp"] == sql_type
    scan = source_files(tmp_path, node).scan(node)
    texts = duckdb.sql(f"select timestamp::varchar from ({scan})").fetchall()
    assert texts[0] == (first or values[0],)


def test_a_header_once_more_leaves_ids_text(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(csv_of("1", "2") + ",".join(COLUMNS) + "\n")
    types, rows = read(tmp_path, log_node(tmp_path / "log.csv"))
    assert types["item_id"] == "VARCHAR"
    assert rows[-1] == COLUMNS


# -- text files ------------------------------------------------------------------------------------------------------

PLAIN = [("u1", "café", 1), ("u2", "b", 2)]
TEXT = "user_id,item_id,timestamp\nu1,café,1\nu2,b,2\n"
DATA = TEXT.split("\n", 1)[1]


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "reading"),
    [
        ("utf-8 with a byte order mark", TEXT.encode("utf-8-sig"), {}),
        ("utf-16 with one", TEXT.encode("utf-16"), {}),
        ("utf-32 with one", TEXT.encode("utf-32"), {}),
        ("utf-16 declared, with a mark", TEXT.encode("utf-16"), {"encoding": "utf-16"}),
        ("utf-16 without one", TEXT.encode("utf-16-le"), {"encoding": "utf-16-le"}),
        ("latin-1", TEXT.encode("latin-1"), {"encoding": "latin-1"}),
        ("cp1252", TEXT.encode("cp1252"), {"encoding": "cp1252"}),
        ("cp437", TEXT.encode("cp437"), {"encoding": "cp437"}),
        ("carriage returns", TEXT.replace("\n", "\r\n").encode(), {}),
        ("one line feed among them", TEXT.replace("\n", "\r\n", 2).encode(), {}),
        ("line feeds, then carriage returns", TEXT.replace("1\n", "1\r\n").encode(), {}),
        ("no end of the last line", TEXT.rstrip().encode(), {}),
        ("gzip under another name", gzip.compress(TEXT.encode(), mtime=0), {}),
        ("gzip of latin-1", gzip.compress(TEXT.encode("latin-1"), mtime=0), {"encoding": "latin-1"}),
        ("semicolons", TEXT.replace(",", ";").encode(), {}),
        ("tabs", TEXT.replace(",", "\t").encode(), {}),
        ("double colons", TEXT.replace(",", "::").encode(), {"delimiter": "::"}),
        ("carets", TEXT.replace(",", "^").encode(), {"delimiter": "^"}),
        ("no header", DATA.encode(), {"header": False, "names": list(COLUMNS)}),
        ("no header, names alone", DATA.encode(), {"names": list(COLUMNS)}),
        (
            "MovieLens' way",
            DATA.replace(",", "::").encode("latin-1"),
            {"delimiter": "::", "names": list(COLUMNS), "encoding": "latin-1"},
        ),
        ("lines before the header", b"Report of May\n\n" + TEXT.encode(), {"skip": 2}),
        ("words for nothing", TEXT.replace("b,2", "b,2\nu3,c,NULL").encode(), {"null_values": ["NULL"]}),
        ("old line ends", TEXT.replace("\n", "\r").encode(), {}),
        ("numbers for nothing", TEXT.replace("b,2", "b,2\nu3,c,-1").encode(), {"null_values": [-1]}),
        ("quotes", TEXT.replace("u1", '"u1"').encode(), {}),
        ("other quotes", TEXT.replace("u1", "'u1'").encode(), {"quote": "'"}),
    ],
)  # fmt: skip
def test_text_files(tmp_path: Path, name: str, content: bytes, reading: dict[str, Any]) -> None:
    write(tmp_path / "log.csv", content)
    _, rows = read(tmp_path, log_node(tmp_path / "log.csv", **reading))
    assert rows[:2] == PLAIN
    assert rows[2:] in ([], [("u3", "c", None)])


def test_a_quote_far_below_is_one(tmp_path: Path) -> None:
    lines = csv_of(*(f"i{n}" for n in range(30_000)))
    (tmp_path / "log.csv").write_text(lines + 'u,"a,b",1\n')
    assert read(tmp_path, log_node(tmp_path / "log.csv"))[1][-1] == ("u", "a,b", 1)


def test_an_empty_file_among_others_is_no_file(tmp_path: Path) -> None:
    write(tmp_path / "0.csv", b"")
    write(tmp_path / "1.csv", TEXT.encode())
    write(tmp_path / "2.csv", b"\n\n")
    assert read(tmp_path, log_node(tmp_path / "*.csv"))[1] == PLAIN


def test_files_name_their_columns_in_any_order(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", TEXT.encode())
    write(tmp_path / "2.csv", b"timestamp,user_id,item_id\n3,u3,c\n")
    assert read(tmp_path, log_node(tmp_path / "*.csv"))[1] == [*PLAIN, ("u3", "c", 3)]


@pytest.mark.parametrize(
    ("content", "what", "found", "fix"),
    [
        (TEXT.encode("latin-1"), "log.csv is not in the encoding utf-8", "line 2, column 7: the byte 0xE9", "encoding: latin-1"),
        (TEXT.replace("é", "e").encode("utf-16-le"), "log.csv holds zero bytes", "utf-8", "encoding: utf-16-le"),
        (b"", "source log.events is empty", "no line", "names of the columns"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-9], "log.csv cannot be unpacked", "ended before", "copy the file again"),
        (b"PK\x03\x04 workbook", "log.csv is no text file", "Excel", "save the sheet as CSV"),
        (b"PAR1 data PAR1", "log.csv is no text file", "a Parquet file", "parquet"),
        (DATA.encode(), "has no column", "columns u1, café, 1", "header: false"),
        (TEXT.replace(",", "::").encode(), "", "user_id", "delimiter"),
        (TEXT.replace("b,2", "b,2,3").encode(), "has a broken line", "line 3: 4 fields, the first line has 3", "mend"),
    ],
)  # fmt: skip
def test_text_files_that_cannot_be_read(
    tmp_path: Path, content: bytes, what: str, found: str, fix: str
) -> None:
    write(tmp_path / "log.csv", content)
    with pytest.raises(ProjectError) as error:
        read(tmp_path, log_node(tmp_path / "log.csv"))
    assert what in error.value.what
    assert found in error.value.found
    assert fix in error.value.fix
    assert error.value.where


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("packed", [False, True])
def test_json_files_in_other_encodings(tmp_path: Path, encoding: str, packed: bool) -> None:
    records = [dict(zip(COLUMNS, row, strict=True)) for row in PLAIN]
    content = "\n".join(json.dumps(r, ensure_ascii=False) for r in records).encode(encoding)
    write(tmp_path / "log.jsonl", gzip.compress(content) if packed else content)
    assert read(tmp_path, log_node(tmp_path / "log.jsonl"))[1] == PLAIN


def test_words_for_nothing_in_json_and_parquet(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"user_id": 1, "item_id": "NULL", "timestamp": 1}\n{"user_id": 1, "item_id": 7, "timestamp": 1}\n')  # fmt: skip
    node = log_node(tmp_path / "log.jsonl", null_values=["NULL"])
    assert [row[1] for row in read(tmp_path, node)[1]] == [None, 7]
    path = write_parquet(tmp_path / "log.parquet", "v", "('NULL'), ('a')")
    assert [r[1] for r in read(tmp_path, log_node(path, null_values=["NULL"]))[1]] == [None, "a"]


def test_lists_of_ids_are_refused(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"user_id": 1, "item_id": [1, 2], "timestamp": 1}\n')
    with pytest.raises(ProjectError, match=r"column 'item_id' of .* cannot hold ids") as error:
        read(tmp_path, log_node(tmp_path / "log.jsonl"))
    assert "unnest" in error.value.fix


def test_files_of_two_formats_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", TEXT.encode())
    write_parquet(tmp_path / "2.parquet", "v", "(1)")
    with pytest.raises(ProjectError, match="is no text file") as error:
        read(tmp_path, log_node(tmp_path / "*.*"))
    assert error.value.where.endswith("2.parquet")


def test_a_path_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "log.csv", TEXT.encode())
    node = Node("log__events", "models/log.yml", "source", file_path="~/log.csv", columns=COLUMNS)
    assert source_files(Path("/nowhere"), node).files(node) == [tmp_path / "log.csv"]


def test_an_encoding_that_there_is_not(tmp_path: Path) -> None:
    write(tmp_path / "log.csv", TEXT.encode())
    with pytest.raises(ProjectError, match="there is no encoding 'latin-99'"):
        read(tmp_path, log_node(tmp_path / "log.csv", encoding="latin-99"))


def test_a_setting_makes_a_source_stale(tmp_path: Path) -> None:
    write(tmp_path / "log.csv", TEXT.encode("latin-1"))
    one, other = (log_node(tmp_path / "log.csv", encoding=e) for e in ("latin-1", "cp1252"))
    sources = source_files(tmp_path, one)
    assert sources.fingerprint(one) != sources.fingerprint(other)


# -- items -----------------------------------------------------------------------------------------------------------


def test_lists_become_text(tmp_path: Path) -> None:
    records = [
        {"item_id": "a", "category": []},
        {"item_id": "b", "category": ["Beauty", "Hair > Care"], "when": ["10-11-2012"]},
        {"item_id": "c", "category": None, "mixed": "one"},
        {"item_id": "d", "category": [None, "x"], "mixed": ["two", "three"]},
        {"item_id": "e", "paths": [["A", "B"], ["C"]]},
    ]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, records)))
    node = items_node(tmp_path / "items.jsonl")
    types, _ = read(tmp_path, node)
    assert set(types.values()) == {"VARCHAR"}
    rows = duckdb.sql(source_files(tmp_path, node).scan(node)).fetchall()
    named = [dict(zip(types, row, strict=True)) for row in rows]
    assert [row["category"] for row in named] == [None, "Beauty > Hair > Care", None, "x", None]
    assert [row["when"] for row in named] == [None, "10-11-2012", None, None, None]
    assert [row["mixed"] for row in named] == [None, None, "one", "two > three", None]
    assert named[-1]["paths"] == "A > B"


def test_lists_of_parquet_files_become_text_too(tmp_path: Path) -> None:
    duckdb.sql(f"copy (select 'a' as item_id, ['x', 'y'] as category) to '{tmp_path}/items.parquet'")  # fmt: skip
    assert read(tmp_path, items_node(tmp_path / "items.parquet"))[1] == [("a", "x > y")]


def test_lists_stay_lists_unless_text_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"item_id": "a", "n": ["2024-01-02", "x"], "s": {"t": 1}}\n')  # fmt: skip
    node = items_node(tmp_path / "items.jsonl", list_separator=None)
    assert read(tmp_path, node)[1] == [("a", ["2024-01-02", "x"], {"t": 1})]
