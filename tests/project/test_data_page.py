"""project/docs/data.md: its commands and programs, run on small files in the published formats, and that no page needs another folder."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from llm_i2i.runner.project import Project

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "project" / "docs" / "data.md"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOWNLOADS = ("curl ", "git clone ")

# A line of reviews_Toys_and_Games_5.json, and one of meta_Toys_and_Games.json, as published.
REVIEW = '{{"reviewerID": "{user}", "asin": "{item}", "reviewerName": "Ann \\"Mum\\" O\'Neil", "helpful": [0, 1], "reviewText": "Fine,\\nthey like it.", "overall": 4.0, "summary": "Nice", "unixReviewTime": {time}, "reviewTime": "01 2, 2014"}}\n'
PRODUCT = "{{'asin': '{item}', 'title': {title!r}, 'price': 6.99, 'imUrl': 'http://example.org/51.jpg', 'related': {{'also_bought': ['B00000002']}}, 'salesRank': {{'Toys & Games': 21}}, 'brand': {brand!r}, 'categories': [['Toys & Games', 'Kites'], ['Gifts']]}}\n"
DAY = 86400
FIRST_DAY = 1388620800  # 2014-01-02


def write_amazon(data: Path, name: str) -> None:
    """Six users with the same six items, two on each day, and a seventh with two of them: not in the 5-core."""
    users = {f"A{user}USER": range(6) for user in range(6)} | {"A7TINY": range(2)}
    reviews = [
        REVIEW.format(user=user, item=f"B0000000{item}", time=FIRST_DAY + item // 2 * DAY)
        for user, items in users.items()
        for item in items
    ]
    products = [
        PRODUCT.format(item=f"B0000000{item}", title=f"Kite &amp; tail {item}", brand="O'Wind")
        for item in range(9)  # three that nobody reviewed
    ]
    # as they stand in the files: by product, not by user or time
    for file, lines in {f"reviews_{name}_5": reviews[::-1], f"meta_{name}": products}.items():
        with gzip.open(data / f"{file}.json.gz", "wt", encoding="utf-8") as out:
            out.writelines(lines)


# 24 columns: id, title, two dates, address, 19 genres.
FILMS = """1|Toy Story (1995)|01-Jan-1995||http://us.imdb.com/M/title-exact?Toy%20Story%20(1995)|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0
2|Cité des enfants perdus, La (1995)|01-Jan-1995||http://us.imdb.com/Title?x|0|1|0|0|0|0|0|0|0|0|0|0|0|0|0|1|0|0|0
3|unknown|||http://us.imdb.com/M/title-exact?unknown|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0
"""
GENRES = "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir Horror Musical Mystery Romance Sci-Fi Thriller War Western"


def write_movielens(folder: Path) -> None:
    folder.mkdir()
    ratings = [(7, 2, 3, 881250949), (7, 1, 5, 881250949), (7, 3, 1, 881250950), (8, 1, 4, 891717742)]  # fmt: skip
    (folder / "u.data").write_text("".join("\t".join(map(str, row)) + "\n" for row in ratings))
    (folder / "u.item").write_bytes(FILMS.encode("latin-1"))
    lines = [f"{genre}|{number}\n" for number, genre in enumerate(GENRES.split())]
    (folder / "u.genre").write_text("".join(lines) + "\n")


HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
INVOICES = {
    "2010-12-01": """536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,71053,WHITE METAL LANTERN,6,2010-12-01 08:26:00,3.39,17850.0,United Kingdom
536370,POST,POSTAGE,3,2010-12-01 08:45:00,18.0,12583.0,France
536381,82567,"AIRLINE LOUNGE,METAL SIGN",2,2010-12-01 09:41:00,2.1,15311.0,United Kingdom
C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom
C536383,71053,WHITE METAL LANTERN,-1,2010-12-01 09:49:00,4.65,15311.0,United Kingdom
536544,71053,,1,2010-12-01 14:32:00,2.51,,United Kingdom
""",
    "2010-12-02": """536600,85123A,CREAM HANGING HEART T-LIGHT HOLDER,6,2010-12-02 08:26:00,2.55,15311.0,United Kingdom
536601,85123A,WHITE HANGING HEART T-LIGHT HOLDER ,6,2010-12-02 08:27:00,2.55,17850.0,United Kingdom
536602,22752,SET 7 BABUSHKA NESTING BOXES,2,2010-12-02 08:30:00,7.65,17850.0,United Kingdom
""",
}


def write_retail(folder: Path) -> None:
    folder.mkdir(parents=True)
    for day, lines in INVOICES.items():
        (folder / f"{day}.csv").write_text(HEADER + lines)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's project with a data/ of samples, after everything on the page up to the last file was run."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("project", "models", "udfs"):
        (folder / name).symlink_to(ROOT / name)
    data = folder / "data"
    data.mkdir()
    for name in ("Beauty", "Sports_and_Outdoors", "Toys_and_Games"):
        write_amazon(data, name)
    write_movielens(data / "ml-100k")
    write_retail(data / "spark-guide" / "data" / "retail-data" / "by-day")
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
    }
    for kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if is_whole_build(kind, text) or any(word in text for word in DOWNLOADS):
            continue
        command = [sys.executable, "-"] if kind == "python" else ["bash", "-e"]
        done = subprocess.run(command, input=text, cwd=folder, env=environment, text=True, capture_output=True, timeout=300)  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return folder


def is_whole_build(kind: str, text: str) -> bool:
    """A build of everything trains language models; what it reads is looked at in a test of its own."""
    return kind == "sh" and "llmi2i build" in text and "--env raw_" not in text


def rows(checkout: Path, name: str, columns: str = "*", order: str = "all") -> list[tuple[Any, ...]]:  # fmt: skip
    file = checkout / "data" / f"{name}.parquet"
    return duckdb.sql(f"select {columns} from '{file}' order by {order}").fetchall()


@pytest.mark.parametrize("name", ["beauty", "sports_and_outdoors", "toys_and_games"])
def test_amazon_files(checkout: Path, name: str) -> None:
    items = [f"B0000000{item}" for item in range(6)]
    found = rows(checkout, f"{name}.interactions", order="user_id, position")
    assert len(found) == 36  # the seventh user is not in the core
    assert found[:6] == [
        ("A0USER", item, place, FIRST_DAY + place // 2 * DAY) for place, item in enumerate(items)
    ]
    assert rows(checkout, f"{name}.items") == [
        (item, item, f"Kite & tail {place}", "O'Wind", "Toys & Games > Kites")
        for place, item in enumerate(items)
    ]


def test_movielens_files(checkout: Path) -> None:
    assert rows(checkout, "ml100k.interactions", "user_id, item_id, rating, timestamp")[:2] == [
        (7, 1, 5, 881250949),
        (7, 2, 3, 881250949),
    ]
    assert rows(checkout, "ml100k.items") == [
        (1, "Toy Story (1995)", "Animation | Children's | Comedy"),
        (2, "Cité des enfants perdus, La (1995)", "Action | Sci-Fi"),
        (3, "unknown", "unknown"),
    ]


def test_retail_files(checkout: Path) -> None:
    found = rows(checkout, "retail.interactions", "user_id, item_id", "user_id, timestamp, item_id")
    assert found[:2] == [(15311, "82567"), (15311, "85123A")]
    assert found[2:] == [(17850, "71053"), (17850, "85123A"), (17850, "22752")]
    times = rows(checkout, "retail.interactions", "distinct user_id, timestamp")
    assert len(times) == 4, "one basket of two lines: their order is drawn when the log is read"
    assert rows(checkout, "retail.items") == [
        ("22752", "SET 7 BABUSHKA NESTING BOXES"),
        ("71053", "WHITE METAL LANTERN"),
        ("82567", "AIRLINE LOUNGE,METAL SIGN"),
        ("85123A", "WHITE HANGING HEART T-LIGHT HOLDER"),
    ]


WHOLE_BUILDS = [
    (kind, text) for kind, text in BLOCK.findall(PAGE.read_text()) if is_whole_build(kind, text)
]


@pytest.mark.parametrize(("kind", "text"), WHOLE_BUILDS, ids=["toys", "ml100k", "retail"])
def test_whole_builds_read_these_files(checkout: Path, kind: str, text: str) -> None:
    from llm_i2i.config.project import parse_vars_argument

    (vars_text,) = re.findall(r"--vars '(.*?)'", text)
    vars = parse_vars_argument(vars_text)
    if "ml100k" in text:
        vars |= {"min_events": None}  # three films have no 5-core
    project = Project.load(checkout, vars=vars, target_path=checkout / "target", env="whole")
    wanted = "+index_swing_plain +items +log_report" + (" +target_neighbourhood" if "near" in text else "")  # fmt: skip
    result = project.build(select=wanted)
    assert result.success, [c.messages for c in result.checks if c.status not in ("PASS", "WARN")]
    assert project.rows("select count(*) > 0 from interactions")[1] == [(True,)]


def test_no_page_needs_a_folder_outside_the_repository() -> None:
    pages = [ROOT / "README.md", ROOT / "Makefile", *(ROOT / "project").rglob("*.md"), *(ROOT / "project").rglob("*.yml")]  # fmt: skip
    assert [str(page) for page in pages if "../shared" in page.read_text(encoding="utf-8")] == []


def test_files_that_commands_read_from_data_are_made_here() -> None:
    made = PAGE.read_text(encoding="utf-8")
    names = {"{name.lower()}", "beauty", "toys_and_games", "sports_and_outdoors", "ml100k", "retail"}  # fmt: skip
    for page in [ROOT / "README.md", ROOT / "project" / "experiments.yml", *PAGE.parent.glob("*.md")]:  # fmt: skip
        for name, kind in re.findall(r"\bdata/([\w{}.()]+?)\.(\w+)\.parquet", page.read_text()):
            assert name in names, f"{page.name}: {name}"
            assert f".{kind}.parquet" in made
