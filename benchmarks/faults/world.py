"""What plans are run against: tools with schemas of every shape, and models, all of them functions of a number.

Another ``chance`` gives other results, other failures and other judgements, so that runs take other ways.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

from typing_extensions import TypedDict

from app.plan.model import Json
from app.tools.base import Tool
from app.tools.decorator import tool
from app.tools.files import file_tools
from app.tools.llm import llm_tools
from app.tools.registry import Catalog, Registry

FORBIDDEN: Final = "delete_everything"
"""A tool that is there, and that the namespace does not allow."""

FILES: Final = {
    "README.md": "# Atlas\n\nMaps of the sky.\nSee docs/guide.md.\n",
    "docs/guide.md": "Point it at the sky.\nTODO: the southern half\n",
    "docs/stars.md": "Sirius\nVega\nTODO: more\n",
    "app/__init__.py": '"""Atlas."""\n',
    "app/main.py": '"""The entry."""\n\nprint("stars")\n',
    "app/sky.py": '"""The sky."""\n\nSTARS = ["Sirius", "Vega"]\n# TODO: planets\n',
    "notes/monday.txt": "buy film\nTODO: call Vega\n",
    "notes/tuesday.txt": "parcel came\n",
}


class Hit(TypedDict):
    title: str
    url: str
    score: float


class Page(TypedDict):
    url: str
    status: int
    text: str


class Stats(TypedDict):
    count: int
    mean: float
    total: float


class Order(TypedDict):
    id: str
    amount: float
    paid: bool


class Orders(TypedDict):
    customer: str
    orders: list[Order]


class Filters(TypedDict, total=False):
    paid: bool
    above: int


class Status(TypedDict):
    state: Literal["running", "done"]
    progress: int


class Receipt(TypedDict):
    id: str
    queued: bool


class World:
    """Tools and models. ``folder`` is that of the file tools."""

    def __init__(self, folder: Path) -> None:
        self.folder = make_files(folder)
        self.chance = 0
        self._polls: Counter[str] = Counter()
        registry = Registry()
        for each in [*file_tools(folder), *llm_tools(), *self._web(), *self._work()]:
            registry.add(each)
        self.catalog: Catalog = registry.catalog(
            [each.name for each in registry.list() if each.name != FORBIDDEN]
        )
        """What the namespace allows."""

    def begin(self, chance: int) -> None:
        """Another run: nothing was done yet."""
        self.chance = chance
        self._polls.clear()

    def number(self, *about: Any) -> int:
        """A number that depends on nothing but the chance and what it is about."""
        text = json.dumps([self.chance, *about], sort_keys=True, default=str)
        return int.from_bytes(sha256(text.encode()).digest()[:4])

    def judge(self, prompt: str, visit: int) -> bool:
        """What a model answers to a condition; sooner or later everything comes to an end."""
        return visit > 3 or self.number("judge", prompt, visit) % 2 == 0

    def generate(self, prompt: str, outputs: Sequence[str]) -> Json:
        """What a model writes: a text, or where several outputs are wanted an object of texts."""
        text = f"text {self.number('generate', prompt) % 100}"
        return {name: f"{text}: {name}" for name in outputs} if len(outputs) > 1 else text

    def _web(self) -> list[Tool]:
        number = self.number

        @tool(effect="read", aliases=["web_search"], version="1")
        def search_web(query: str, limit: int = 3, site: str | None = None) -> list[Hit]:
            """Look for pages."""
            count = 1 + number("hits", query) % max(1, min(limit, 4))
            where = site or "example.org"
            return [
                {"title": f"{query} {n}", "url": f"https://{where}/{n}", "score": 1 / (n + 1)}
                for n in range(count)
            ]

        @tool(effect="read", version="1")
        def fetch_page(url: str, form: Literal["text", "html"] = "text") -> Page:
            """Get a page; some are gone."""
            if number("gone", url) % 3 == 0:
                raise OSError(f"{url} is gone")
            return {"url": url, "status": 200, "text": f"{form} of {url} about stars"}

        @tool(effect="read", version="1")
        def find_orders(
            customer: str, filters: Filters | None = None, fields: list[str] | None = None
        ) -> Orders:
            """The orders of a customer."""
            above = (filters or {}).get("above", 0)
            amounts = [10.0 * n + above for n in range(1 + number("orders", customer) % 3)]
            orders: list[Order] = [
                {"id": f"o{n}", "amount": a, "paid": n % 2 == 0} for n, a in enumerate(amounts)
            ]
            return {"customer": customer, "orders": orders}

        @tool(effect="read", version="1")
        def ask_database(query: str, values: list[Any] | None = None) -> Any:
            """Whatever the database says."""
            return [{"id": n, "query": query} for n in range(2)]

        return [search_web, fetch_page, find_orders, ask_database]

    def _work(self) -> list[Tool]:
        polls, number = self._polls, self.number

        @tool(effect="pure", version="1")
        def count_words(text: str, at_least: int = 1) -> int:
            """How many words of so many letters there are."""
            return sum(len(word) >= at_least for word in text.split())

        @tool(effect="pure", version="1")
        def add_up(values: list[float], digits: int = 2) -> Stats:
            """Count, mean and total."""
            total = round(sum(values), digits)
            return {"count": len(values), "mean": total / len(values) if values else 0.0, "total": total}

        @tool(effect="read", version="1")
        def is_open(place: str) -> bool:
            """Whether a place is open."""
            return number("open", place) % 2 == 0

        @tool(effect="write", version="1")
        def start_job(name: str, cores: int = 1, wait: bool = False) -> str:
            """Start a job; gives its name in the queue."""
            return f"{name}-{cores}"

        @tool(effect="read", version="1")
        def job_status(job: str) -> Status:
            """How far a job is; after some looks it is done."""
            polls[job] += 1
            done = polls[job] > 1 + number("job", job) % 3
            return {"state": "done" if done else "running", "progress": 100 if done else 10 * polls[job]}

        @tool(effect="write", version="1")
        def save_note(title: str, body: str, tags: list[str] | None = None) -> str:
            """Keep a note; gives its id."""
            return f"note-{number('note', title) % 1000}"

        @tool(effect="irreversible", version="1")
        def send_mail(to: list[str], subject: str, body: str, urgent: bool = False) -> Receipt:
            """Send a mail."""
            return {"id": f"m{number('mail', subject) % 1000}", "queued": urgent}

        @tool(name=FORBIDDEN, effect="irreversible", version="1")
        def delete_everything(really: bool) -> bool:
            """Delete everything."""
            raise AssertionError("the namespace does not allow it")

        return [
            count_words, add_up, is_open, start_job, job_status, save_note, send_mail, delete_everything,
        ]  # fmt: skip


def make_files(folder: Path) -> Path:
    """The folder of the file tools, filled."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
