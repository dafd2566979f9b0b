"""A made-up shop whose visitors have known tastes: logs of an A/B test with their true effects (project/docs/online.md).

Plain values in and out, no project: `make_shop` or `shop_of_log`, `plan_requests`, `ask` each arm's recommender, `draw_log`, `true_values`.
`run_loop` lets a shop learn from its own lists.
"""

from llm_i2i.simulate.behaviour import Behaviour, Log, assign, draw_log, true_values
from llm_i2i.simulate.loop import LoopSettings, Round, run_loop
from llm_i2i.simulate.recommend import Recommend, http_recommender, index_recommender
from llm_i2i.simulate.shop import Shop, make_shop, shop_of_log
from llm_i2i.simulate.tables import log_tables, write_log
from llm_i2i.simulate.visits import Answers, Requests, Visits, ask, plan_requests

__all__ = [
    "Answers",
    "Behaviour",
    "Log",
    "LoopSettings",
    "Recommend",
    "Requests",
    "Round",
    "Shop",
    "Visits",
    "ask",
    "assign",
    "draw_log",
    "http_recommender",
    "index_recommender",
    "log_tables",
    "make_shop",
    "plan_requests",
    "run_loop",
    "shop_of_log",
    "true_values",
    "write_log",
]
