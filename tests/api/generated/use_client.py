"""A program on a client that was generated from a server's OpenAPI document: what it found out, as JSON.

Run by the generator's Python, with the folder of the package ``stackvm_client`` on its path:
``use_client.py URL KEY``.
"""

import json
import sys
from typing import Any

from stackvm_client import AuthenticatedClient
from stackvm_client.api.commits import get_variable, list_commits
from stackvm_client.api.events import watch_task
from stackvm_client.api.steering import decide, pause
from stackvm_client.api.tasks import get_task, list_tasks, submit, view_task
from stackvm_client.models import Decide, DecidedOut, LogOut, OnBranch, Problem, Submit, TaskOut, TasksOut
from stackvm_client.models.decide_choice import DecideChoice

PLAN = [
    {"seq_no": 1, "type": "calling", "parameters": {"tool_name": "nap", "output_vars": "slept"}},
    {"seq_no": 2, "type": "calling", "parameters": {"tool_name": "pay", "output_vars": "receipt"}},
    {"seq_no": 3, "type": "assign", "parameters": {"final_answer": "${receipt}"}},
]


def watch(client: AuthenticatedClient, task_id: str, until: str) -> list[str]:
    """The kinds of the events until the run has that status."""
    kinds: list[str] = []
    asking: dict[str, Any] = watch_task._get_kwargs(task_id)
    with client.get_httpx_client().stream(**asking) as response:
        assert response.status_code == 200, response.read()
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kinds.append(value)
            elif name == "data" and kinds[-1] == "status" and json.loads(value)["status"] == until:
                return kinds
    raise AssertionError(f"the stream ended before {until}")


def trouble(answer: object) -> list[Any]:
    assert isinstance(answer, Problem), answer
    return [answer.status, answer.code]


def main(url: str, key: str) -> dict[str, Any]:
    client = AuthenticatedClient(url, key, timeout=30.0)
    made = submit.sync(client=client, body=Submit(goal="pay", plan=PLAN, tags=["generated"]))
    assert isinstance(made, TaskOut), made
    watched = watch(client, made.task_id, "waiting")
    again = decide.sync(made.task_id, client=client, body=Decide(DecideChoice.SKIP, value={"paid": 7}))
    assert isinstance(again, DecidedOut), again
    watch(client, made.task_id, "completed")
    task = get_task.sync(made.task_id, client=client)
    log = list_commits.sync(made.task_id, client=client, limit=3)
    listed = list_tasks.sync(client=client, tag="generated")
    view = view_task.sync(made.task_id, client=client)
    assert isinstance(task, TaskOut) and isinstance(log, LogOut) and isinstance(listed, TasksOut)
    wrong = AuthenticatedClient(url, "svm_wrong", timeout=30.0)
    return {
        "task": [task.status, task.steps, task.planned_steps, task.branches, task.cost],
        "listed": [each.task_id == made.task_id for each in listed.items],
        "log": [entry.subject for entry in log.items],
        "more": log.next_ is not None,
        "answer": view.to_dict()["variables"]["final_answer"] if view is not None else None,
        "watched": sorted(set(watched)),
        "decided": [again.choice, again.tool],
        "errors": {
            "no plan": trouble(submit.sync(client=client, body=Submit(goal="x", plan=[{"seq_no": 1}]))),
            "too late": trouble(pause.sync(made.task_id, client=client, body=OnBranch())),
            "nothing waits": trouble(decide.sync(made.task_id, client=client, body=Decide(DecideChoice.RUN))),
            "no such task": trouble(get_task.sync("nothing", client=client)),
            "no such variable": trouble(get_variable.sync(made.task_id, "main", "nothing", client=client)),
            "no goal": trouble(submit.sync(client=client, body=Submit(goal="", plan=PLAN))),
            "wrong key": trouble(list_tasks.sync(client=wrong)),
        },
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
