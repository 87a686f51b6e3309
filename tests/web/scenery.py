"""Made-up tasks of real size, for the screenshots and for tests that look at every screen."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from served import Served, serving

TOOLS = '''
"""Tools of a made-up company that looks after its suppliers."""

import time
from typing import Annotated, Literal

from pydantic import Field

from app.tools import tool

_failed = set()


@tool(effect="read", retry={"max_attempts": 3, "backoff": 0.05})
def look_up_supplier(number: Annotated[int, Field(ge=1, le=9999)], fields: list[str] | None = None) -> dict:
    """What the register knows of a supplier.

    `number` is its number in the register. With `fields` only these are given.
    """
    time.sleep(0.012 + number % 7 * 0.011)
    if number % 23 == 0 and number not in _failed:
        _failed.add(number)
        raise TimeoutError(f"the register did not answer about {number}")
    if number == 66:
        raise LookupError("supplier 66 is not in the register any more")
    row = {"number": number, "name": f"Supplier {number:03d}", "country": "DE FR NL PL SE".split()[number % 5],
           "late": number * 37 % 29, "orders": 20 + number * 13 % 180}
    return {name: row[name] for name in fields} if fields else row


@tool(effect="pure")
def rank(rows: list, by: Literal["late", "orders"] = "late", top: Annotated[int, Field(ge=1)] = 5) -> list:
    """The `top` rows with the most of something, the worst first. Rows that are null are left out."""
    return sorted((row for row in rows if row), key=lambda row: -row[by])[:top]


@tool(effect="read")
def read_contract(supplier: int, page: int = 1) -> dict:
    """A page of a supplier's contract."""
    time.sleep(0.02 + page % 3 * 0.03)
    return {"supplier": supplier, "page": page, "clauses": 3 + page % 4, "more": page < 12}


@tool(effect="write")
def save_report(title: str, text: str, draft: bool = False) -> dict:
    """Put a report into the archive; the same title replaces it."""
    time.sleep(0.05)
    return {"title": title, "chars": len(text), "draft": draft}


@tool(effect="irreversible", timeout=20)
def send_payment(account: str, cents: Annotated[int, Field(ge=1)], reference: str = "") -> str:
    """Transfer money to an account. It can't be called back.

    - `account` is an IBAN
    - `cents` is the amount
    """
    time.sleep(0.1)
    raise ConnectionError("the bank closed the connection before it answered")


@tool(effect="irreversible")
def send_letter(to: str, subject: str) -> str:
    """Have a letter printed and posted."""
    time.sleep(0.05)
    return f"posted to {to}"


@tool(effect="read")
def watch_delivery(order: int, seconds: float = 1.0) -> str:
    """Wait until an order has moved, or the time is up."""
    time.sleep(seconds)
    return "on its way"
'''

REPLIES = """
- purpose: generate
  match: Sum up
  repeat: true
  delay: 0.35
  usage: {input: 2140, output: 312}
  reply: |
    # Suppliers that are often late

    Of **100** suppliers that were looked up, five were late in more than a quarter of their orders.

    | supplier | late | what to do |
    |---|--:|---|
    | Supplier 047 | 28 | speak to them before the next order |
    | Supplier 018 | 28 | find a second source |
    | Supplier 076 | 28 | shorten the terms of payment |

    *Supplier 066* is no longer in the register.
- purpose: generate
  match: Say in one sentence
  repeat: true
  delay: 0.09
  usage: {input: 410, output: 24}
  reply: A supplier that delivers late in summer and in time for the rest of the year.
- purpose: judge
  repeat: true
  delay: 0.12
  usage: {input: 380, output: 18}
  reply: {result: true, explanation: Two of them have been late three quarters in a row.}
"""

PRICES = {"scripted": {"input": 2.5, "output": 10.0}}


def step(kind: str, description: str | None = None, **parameters: Any) -> dict[str, Any]:
    """A step without its number."""
    more = {"description": description} if description else {}
    return {"type": kind, **more, "parameters": parameters}


def call(
    tool: str, output: Any, params: dict[str, Any], description: str | None = None, **more: Any
) -> dict[str, Any]:
    """A step that calls a tool."""
    return step("calling", description, tool_name=tool, tool_params=params, output_vars=output, **more)


def review(contracts: int = 12, suppliers: int = 100) -> list[dict[str, Any]]:
    """More than a hundred executed steps: a wide ``for_each``, models, a loop, a condition that a model judges."""
    return [
        step("reasoning", "How to go about it", chain_of_thoughts="Look all up, then read contracts."),
        step("assign", "Whom to look at", numbers=list(range(1, suppliers + 1)), quarter="2026-Q3"),
        call("look_up_supplier", "rows", {"number": "${item}"}, "Look every supplier up", for_each="${numbers}",
             on_error="continue"),
        call("rank", "worst", {"rows": "${rows}", "top": 5, "by": "late"}, "The five that are late most often"),
        call("llm_generate", "sentences", {"prompt": "Say in one sentence what is striking.", "context": "${item}"},
             "A sentence about each", for_each="${worst}"),
        step("jmp", "Is it worth reading contracts?", condition_prompt="Are some of them late again and again?",
             context="${worst}", jump_if_true=7, jump_if_false=11),
        step("assign", "Begin with the first page", page=1, clauses=0),
        call("read_contract", "contract", {"supplier": "${worst[0].number}", "page": "${page}"}, "Read a page"),
        step("assign", "Count its clauses", clauses="${clauses} + ${contract.clauses}", page="${page} + 1"),
        step("jmp", "Are there more pages?", condition=f"page <= {contracts}", jump_if_true=8),
        call("llm_generate", "report", {"prompt": "Sum up for the purchasing team.", "context": "${worst}"},
             "Write the report"),
        call("save_report", "saved", {"title": "Late suppliers ${quarter}", "text": "${report}"}, "Archive it"),
        step("assign", "The answer", final_answer="${report}"),
    ]  # fmt: skip


def straight(count: int) -> list[dict[str, Any]]:
    """A plan of so many steps: stretches that read what came before, loops, conditions."""
    steps: list[dict[str, Any]] = [step("assign", "Begin", total=0, v0=1)]
    while len(steps) < count - 1:
        number = len(steps) + 1
        if number % 20 == 10:
            steps.append(step("assign", None, round=0))
            steps.append(call("look_up_supplier", "row", {"number": number + 1}))
            steps.append(step("assign", None, round="${round} + 1", total="${total} + ${row.late}"))
            steps.append(step("jmp", "Again?", condition="round < 2", jump_if_true=number + 1))
        else:
            name, source = f"v{number}", f"${{v{max(number - 3 - number % 4, 0)}}}"
            fits = f"v{max(number - 3 - number % 4, 0)}" in {
                key for each in steps for key in each["parameters"]
            }
            steps.append(step("assign", f"Value {number}", **{name: source if fits else "${total}"}))
    return [*steps[: count - 1], step("assign", "The answer", final_answer="${total}")]


def numbered(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With their numbers, from 1."""
    return [{"seq_no": number, **each} for number, each in enumerate(steps, 1)]


@dataclass(frozen=True)
class Scenery:
    """The ids of the tasks, by what there is to see in them."""

    served: Served
    tasks: dict[str, str]
    proposal: int


@contextmanager
def company(folder: Path, **settings: object) -> Iterator[Served]:
    """A server with the company's tools and a model that is scripted."""
    (folder / "tools").mkdir(exist_ok=True)
    (folder / "tools" / "suppliers.py").write_text(TOOLS)
    (folder / "replies.yaml").write_text(REPLIES)
    (folder / "prices.json").write_text(json.dumps(PRICES))
    models = {
        "LLM_PROVIDER": "scripted",
        "LLM_MODEL": "scripted",
        "SCRIPTED_REPLIES": folder / "replies.yaml",
        "MODEL_PRICES": folder / "prices.json",
    }
    with serving(folder, workers=1, **{**models, **settings}) as served:
        yield served


def build(served: Served, *, small: int = 14) -> Scenery:
    """All the tasks. ``small``: how many there are beside those that are looked at."""
    client = served.client
    _namespaces(served)
    tasks = {"graph": _submit(served, "Add up what was late in each region", straight(200))}
    for number in range(small):
        goal, tags = _SMALL[number % len(_SMALL)]
        steps = [
            call("look_up_supplier", "row", {"number": number + 1}),
            step("assign", final_answer="${row.name}"),
        ]
        _submit(served, goal, steps, namespace="purchasing" if number % 3 else None, tags=tags)
    tasks["failed"] = _submit(
        served,
        "Compare the register with the invoices of June",
        [
            step("assign", None, numbers=[64, 65, 66]),
            call("look_up_supplier", "rows", {"number": "${item}"}, "Look them up", for_each="${numbers}"),
            step("assign", None, final_answer="${rows}"),
        ],
    )
    tasks["payment"] = _submit(
        served,
        "Pay the invoice 2026-118 of Supplier 041",
        [
            call("look_up_supplier", "supplier", {"number": 41}, "Who is it?"),
            call("send_payment", "receipt",
                 {"account": "DE02 1203 0000 0000 2020 51", "cents": 129900,
                  "reference": "2026-118 ${supplier.name}"},
                 "Pay what is due"),
            step("assign", None, final_answer="paid: ${receipt}"),
        ],
        namespace="purchasing",
    )  # fmt: skip
    tasks["letters"] = _submit(
        served,
        "Write to all suppliers that were late",
        [
            step("assign", None, late=[f"Supplier {number:03d}" for number in _LATE], subject="Late deliveries"),
            call("send_letter", "posted", {"to": "${item}", "subject": "${subject}"}, "A letter each",
                 for_each="${late}"),
            step("assign", None, final_answer="${posted}"),
        ],
    )  # fmt: skip
    tasks["review"] = _submit(
        served, "Which suppliers are late most often, and what should we do?", review(30)
    )
    for name, status in (
        ("failed", "failed"),
        ("payment", "waiting"),
        ("letters", "completed"),
        ("graph", "completed"),
    ):
        served.wait(tasks[name], status)
    served.wait(tasks["review"])
    again = {
        "revision": "main~2",
        "name": "again",
    }  # what was posted must not be posted twice: all items wait
    assert client.post(f"/api/tasks/{tasks['letters']}/branches", json=again).status_code == 201
    resumed = client.post(f"/api/tasks/{tasks['letters']}/resume", json={"branch": "again"})
    assert resumed.status_code == 202, resumed.text
    served.wait(tasks["letters"], "waiting")
    proposal = _branches(served, tasks["review"])
    tasks["running"] = _submit(
        served,
        "Follow the orders that are on their way",
        [
            call("watch_delivery", "first", {"order": 1, "seconds": 0.4}),
            call("watch_delivery", "moved", {"order": "${item}", "seconds": 120}, "Until they move",
                 for_each=[11, 12, 13, 14]),
            step("assign", None, final_answer="${moved}"),
        ],
    )  # fmt: skip
    served.wait(tasks["running"], "running")
    assert client.get("/readyz").status_code == 200
    return Scenery(served, tasks, proposal)


_LATE = (18, 47, 76, 12, 33, 58, 91, 64)
_SMALL = (
    ("Who delivers screws to the plant in Lyon?", ["plants"]),
    ("Which orders of week 37 are open?", []),
    ("Find a second source for the pumps of line 4", ["pumps", "urgent"]),
    ("Check the addresses that came back", []),
)


def _submit(served: Served, goal: str, steps: list[dict[str, Any]], **more: Any) -> str:
    return served.submit(*steps, goal=goal, **more)


def _namespaces(served: Served) -> None:
    for body in (
        {"name": "purchasing", "allowed_tools": ["look_up_*", "read_contract", "send_payment", "rank"],
         "description": "Orders, invoices and who delivers", "policies": {"irreversible": "ask"}},
        {"name": "archive", "allowed_tools": ["read_*", "save_report", "old_*"],
         "description": "Reports, kept for ten years"},
    ):  # fmt: skip
        answer = served.client.post("/api/namespaces", json=body)
        assert answer.status_code == 201, answer.text


def _branches(served: Served, task: str) -> int:
    """A branch with other values, a revision that was approved, and a proposal that waits."""
    client = served.client
    edited = client.post(
        f"/api/tasks/{task}/set",
        json={"variables": {"quarter": "2026-Q2"}, "at": "main~4", "name": "second-quarter"},
    )
    assert edited.status_code == 201, edited.text
    _wait_for_branch(served, task, "second-quarter")
    base = f"/api/tasks/{task}/proposals"
    top = {"step": 4, "set": [{"path": "parameters.tool_params.top", "value": 7}], "name": "seven"}
    first = client.post(base, json={"branch": "main", **top})
    assert first.status_code == 201, first.text
    approved = client.post(f"{base}/{first.json()['number']}/approve")
    assert approved.status_code == 202, approved.text
    _wait_for_branch(served, task, "seven")
    by = {"step": 4, "set": [{"path": "parameters.tool_params.by", "value": "orders"}]}
    second = client.post(base, json={"branch": "main", **by})
    assert second.status_code == 201, second.text
    return int(second.json()["number"])


def _wait_for_branch(served: Served, task: str, branch: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = served.client.get(f"/api/tasks/{task}/branches").json()["items"]
        if any(each["branch"] == branch and each["status"] == "completed" for each in found):
            return
        time.sleep(0.05)
    raise AssertionError(found)
