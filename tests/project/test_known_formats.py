"""Logs as they are published, each as a small made sample in the published form."""

from __future__ import annotations

import datetime
import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from llm_i2i.runner.project import Project

ROOT = Path(__file__).parents[2]


def lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def read(
    folder: Path, log_format: str, files: dict[str, str | bytes], **vars: Any
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Events in order and texts of items; the first file is the log, the second the items."""
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    paths = [str(folder / name) for name in files] + [None]
    given = {"log_format": log_format, "interactions": paths[0], "items": paths[1], "language_model": "fake"}  # fmt: skip
    project = Project.load(ROOT, vars=given | vars, target_path=folder / "target")
    result = project.build(select="+items +first_events")
    assert result.published, [c.messages for c in result.checks if c.status == "FAIL"]
    _, events = project.rows("select * from first_events order by user_id, order_value, item_id")
    _, items = project.rows("select item_id, title, category from items where title is not null or category is not null order by item_id")  # fmt: skip
    return events, items


RATINGS = [(1, 661, 978302109), (1, 1193, 978300760), (2, 1193, 978298413)]


def ratings(separator: str) -> str:
    return "\n".join(separator.join(map(str, (u, i, 5, t))) for u, i, t in RATINGS) + "\n"


@pytest.mark.parametrize(
    ("log", "log_text", "items", "items_text"),
    [
        ("ratings.dat", ratings("::"), "movies.dat", "661::James: the \"Peach\" (1996)::Animation|Children's\n1193::Café (1975)::Drama\n".encode("latin-1")),
        ("u.data", ratings("\t"), "u.item", ("661|James: the \"Peach\" (1996)|01-Jan-1996||http://x|" + "0|" * 18 + "1\n1193|Café (1975)|01-Jan-1975||http://y|" + "0|" * 18 + "0\n").encode("latin-1")),
        ("ratings.csv", "userId,movieId,rating,timestamp\n" + ratings(","), "movies.csv", 'movieId,title,genres\n661,"James: the ""Peach"" (1996)",Animation|Children\'s\n1193,Café (1975),Drama\n'),
        ("ratings.csv.gz", gzip.compress(("userId,movieId,rating,timestamp\n" + ratings(",")).encode(), mtime=0), "movies.csv", 'movieId,title,genres\n661,"James: the ""Peach"" (1996)",Animation|Children\'s\n1193,Café (1975),Drama\n'),
    ],
)  # fmt: skip
def test_movielens(tmp_path: Path, log: str, log_text: Any, items: str, items_text: Any) -> None:
    events, texts = read(tmp_path, "movielens", {log: log_text, items: items_text})
    assert events == sorted(RATINGS, key=lambda row: (row[0], row[2]))
    assert [text[:2] for text in texts] == [(661, 'James: the "Peach" (1996)'), (1193, "Café (1975)")]  # fmt: skip
    assert texts[0][2] == (None if items == "u.item" else "Animation > Children's")


def test_retailrocket(tmp_path: Path) -> None:
    log = "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n1433224214164,257597,transaction,248676,4000\n"
    items = "timestamp,itemid,property,value\n1435460400000,355908,categoryid,1338\n1441508400000,355908,categoryid,1400\n1439089200000,248676,888,n5.000 12\n"
    events, texts = read(tmp_path, "retailrocket", {"events.csv": log, "properties.csv": items})
    assert events == [(257597, 355908, 1433221332117), (257597, 248676, 1433224214164)]
    assert texts == [(355908, None, "1400")]


def test_recbole(tmp_path: Path) -> None:
    log = 'user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t242\t3\t881250949\n196\t"7\t3\t881250950\n'
    items = 'item_id:token\tmovie_title:token_seq\tclass:token_seq\n242\tKolya\tComedy Drama\n"7\t"Quiet" here\tDrama\n'
    events, texts = read(tmp_path, "recbole", {"ml.inter": log, "ml.item": items}, item_columns={"title": "movie_title", "category": "class"})  # fmt: skip
    assert events == [(196, "242", 881250949), (196, '"7', 881250950)]
    assert texts == [('"7', '"Quiet" here', "Drama"), ("242", "Kolya", "Comedy Drama")]


def test_yelp(tmp_path: Path) -> None:
    log = lines(
        {"review_id": "r1", "user_id": "u1", "business_id": "b1", "stars": 3.0, "date": "2018-07-07 22:09:11", "text": "ok"},
        {"review_id": "r2", "user_id": "u1", "business_id": "b2", "stars": 5.0, "date": "2012-01-03 15:28:18", "text": "fine"},
    )  # fmt: skip
    items = lines(
        {"business_id": "b1", "name": "Abby", "categories": "Doctors, Health", "attributes": {"a": "b"}},
        {"business_id": "b2", "name": "Store", "categories": None, "attributes": None},
    )  # fmt: skip
    events, texts = read(tmp_path, "yelp", {"review.json": log, "business.json": items})
    assert events == [("u1", "b2", at("2012-01-03 15:28:18")), ("u1", "b1", at("2018-07-07 22:09:11"))]  # fmt: skip
    assert texts == [("b1", "Abby", "Doctors, Health"), ("b2", "Store", None)]


RETAIL = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,{user},Country
536365,85123A,WHITE HOLDER,6,12/1/2010 8:26,2.55,17850,United Kingdom
536366,71053,LANTERN,6,12/2/2010 8:26,3.39,17850,United Kingdom
C536379,D,Discount,-1,12/1/2010 9:41,27.50,14527,United Kingdom
536370,85123A,WHITE HOLDER T,6,1/13/2011 8:26,2.55,,France
536371,85123A,WHITE HOLDER,6,1/13/2011 8:26,2.55,12583,France
"""


@pytest.mark.parametrize(
    ("user", "vars"), [("CustomerID", {}), ("Customer ID", {"user_column": "Customer ID"})]
)
def test_online_retail(tmp_path: Path, user: str, vars: dict[str, Any]) -> None:
    text = RETAIL.format(user=user)
    events, texts = read(tmp_path, "online_retail", {"retail.csv": text, "same.csv": text}, **vars)
    assert events == [
        (12583, "85123A", at("2011-01-13 08:26:00")),
        (17850, "85123A", at("2010-12-01 08:26:00")),
        (17850, "71053", at("2010-12-02 08:26:00")),
    ]
    assert ("85123A", "WHITE HOLDER", None) in texts


def test_online_retail_as_pandas_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "retail.parquet"
    duckdb.sql(f"copy (select 'A1' as \"StockCode\", 'Lamp' as \"Description\", 6::bigint as \"Quantity\", timestamp '2010-12-01 08:26:00' as \"InvoiceDate\", 17850.0::double as \"CustomerID\") to '{path}'")  # fmt: skip
    events, _ = read(tmp_path, "online_retail", {"retail.parquet": path.read_bytes()})
    assert events == [(17850, "A1", at("2010-12-01 08:26:00"))]


def test_mind(tmp_path: Path) -> None:
    log = "1\tU13\t11/11/2019 9:05:58 AM\tN55 N42\tN10-0 N20-1 N30-1\n2\tU13\t11/12/2019 1:05:58 PM\tN55 N42\tN40-1\n3\tU9\t11/12/2019 6:00:00 AM\t\tN20-0 N10-1\n"
    items = 'N20\tlifestyle\troyals\tThe "Brands" Queen\tShop\thttps://x\t[]\t[]\nN10\tnews\t\tA title\t\thttps://y\t[]\t[]\n'
    events, texts = read(tmp_path, "mind", {"behaviors.tsv": log, "news.tsv": items})
    assert [(user, item) for user, item, _ in events] == [
        ("U13", "N55"), ("U13", "N42"), ("U13", "N20"), ("U13", "N30"), ("U13", "N40"), ("U9", "N10"),
    ]  # fmt: skip
    assert [when for user, _, when in events if user == "U13"] == [
        at("2019-11-11 09:05:56"),
        at("2019-11-11 09:05:57"),
        at("2019-11-11 09:05:58"),
        at("2019-11-11 09:05:58"),
        at("2019-11-12 13:05:58"),
    ]
    assert texts == [("N10", "A title", "news"), ("N20", 'The "Brands" Queen', "lifestyle > royals")]  # fmt: skip


def test_otto(tmp_path: Path) -> None:
    log = lines(
        {"session": 0, "events": [{"aid": 1517085, "ts": 1659304800025, "type": "clicks"}, {"aid": 7, "ts": 1659304904511, "type": "orders"}]},
        {"session": 1, "events": [{"aid": 424964, "ts": 1659304800025, "type": "carts"}]},
    )  # fmt: skip
    goods = "item_id,title\n7,Lamp\n"
    events, texts = read(tmp_path, "otto", {"otto.jsonl": log, "goods.csv": goods})
    assert events == [(0, 1517085, 1659304800025), (0, 7, 1659304904511), (1, 424964, 1659304800025)]  # fmt: skip
    assert texts == [(7, "Lamp", None)]


def test_sequences(tmp_path: Path) -> None:
    goods = "item_id,title\n7,Lamp\n8,Drum\n"
    events, texts = read(tmp_path, "sequences", {"toys.txt": "1 7 8 9\n\n2\t8  7\n", "goods.csv": goods})  # fmt: skip
    assert events == [("1", "7", 2), ("1", "8", 3), ("1", "9", 4), ("2", "8", 2), ("2", "7", 3)]
    assert texts == [("7", "Lamp", None), ("8", "Drum", None)]


def test_amazon_of_2023(tmp_path: Path) -> None:
    log = lines(
        {"rating": 5.0, "title": "Nice", "text": "t", "asin": "B1V", "parent_asin": "B1", "user_id": "AG", "timestamp": 1588687728923, "verified_purchase": True},
        {"rating": 1.0, "title": "Bad", "text": "t", "asin": "B2", "parent_asin": "B2", "user_id": "AG", "timestamp": 1588687728000, "verified_purchase": True},
    )  # fmt: skip
    items = lines(
        {"main_category": "Toys", "title": "Kite &amp; line", "store": "Acme", "categories": ["Toys & Games", "Kites"], "parent_asin": "B1", "price": None},
        {"main_category": "Toys", "title": "Drum", "store": None, "categories": [], "parent_asin": "B2", "price": 3.5},
    )  # fmt: skip
    events, texts = read(tmp_path, "amazon", {"Toys.jsonl": log, "meta_Toys.jsonl": items})
    assert events == [("AG", "B2", 1588687728000), ("AG", "B1", 1588687728923)]
    assert texts == [("B1", "Kite & line", "Toys & Games > Kites"), ("B2", "Drum", None)]
