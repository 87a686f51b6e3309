"""The command line: ``stackvm …``, and the same groups under ``flask``.

This module imports click alone, so that ``stackvm --help`` is instant; the tables say where each command is.
"""

from __future__ import annotations

from typing import Final

import click

from app.cli.exit_codes import MEANINGS
from app.cli.groups import Entry, LazyGroup, Sections

_NAMESPACE: Final[Sections] = {
    "Commands": {
        "create": Entry("app.cli.namespaces:create", "Make a namespace."),
        "update": Entry("app.cli.namespaces:update", "Change what a namespace allows, or its description."),
        "delete": Entry("app.cli.namespaces:delete", "Remove a namespace."),
        "list": Entry("app.cli.namespaces:list_all", "List the namespaces."),
        "show": Entry("app.cli.namespaces:show", "Show a namespace and the tools it allows."),
    }
}

_TOOL: Final[Sections] = {
    "Commands": {
        "list": Entry("app.cli.tools:list_all", "List the tools that plans may call."),
        "show": Entry("app.cli.tools:show", "Show what a tool does, takes and gives."),
        "call": Entry("app.cli.tools:call", "Call a tool by hand, outside of any run."),
    }
}

_GOLDEN: Final[Sections] = {
    "Commands": {
        "record": Entry("app.cli.golden_runs:record", "Store a run that has ended as a golden run."),
        "check": Entry("app.cli.golden_runs:check", "Run golden runs again and compare, all or those named."),
        "list": Entry("app.cli.golden_runs:list_all", "List the golden runs."),
    }
}

_KEY: Final[Sections] = {
    "Commands": {
        "create": Entry("app.cli.keys:create", "Make an API key, and show it this once."),
        "list": Entry("app.cli.keys:list_all", "List the keys, revoked ones too."),
        "revoke": Entry("app.cli.keys:revoke", "End a key."),
    }
}

_STACKVM: Final[Sections] = {
    "Run": {
        "execute": Entry("app.cli.execute:execute", "Run a plan for a goal and print its answer."),
        "plan": Entry("app.cli.plan:plan", "Have a model write a plan, and look at it."),
        "verify": Entry("app.cli.verify:verify", "Check a plan without running it."),
        "resume": Entry("app.cli.resume:resume", "Go on with a run from where it stands."),
        "revise": Entry("app.cli.revise:revise", "Change the plan, and run only what depends on the change."),
        "set": Entry("app.cli.set:set_", "Set variables at any commit, and go on from there."),
        "decide": Entry("app.cli.decide:decide", "Decide about a call whose outcome nobody knows."),
        "pause": Entry("app.cli.steer:pause", "Have a run pause at its next step."),
        "cancel": Entry("app.cli.steer:cancel", "End a run for good; its history stays."),
    },
    "Look": {
        "tasks": Entry("app.cli.tasks:tasks", "List the tasks, newest first."),
        "show": Entry("app.cli.show:show", "Show a task: its plan, each step's state, its variables."),
        "log": Entry("app.cli.log:log", "List the commits of a run, newest first."),
        "explain": Entry("app.cli.explain:explain", "Say why each step ran, or was reused."),
        "diff": Entry("app.cli.diff:diff", "Show what differs between two revisions of a task."),
        "blame": Entry("app.cli.blame:blame", "Show which commit last set each variable."),
        "values": Entry("app.cli.values:values", "Show every value that a variable had."),
        "bisect": Entry("app.cli.bisect:bisect", "Find where an expression over the variables turns false."),
        "replay": Entry("app.cli.replay:replay", "Replay a run without calling anything, and compare."),
    },
    "Branch": {
        "branches": Entry("app.cli.branches:branches", "List the branches of a task."),
        "fork": Entry("app.cli.branches:fork", "Begin a branch at any commit."),
        "delete-branch": Entry("app.cli.branches:delete_branch", "Remove a branch."),
        "clone": Entry("app.cli.tasks:clone", "Make a git clone of a task's history."),
    },
    "Keep": {
        "export": Entry("app.cli.carry:export", "Write a task to one file, to be imported elsewhere."),
        "import": Entry("app.cli.carry:import_", "Take in a task that `export` wrote, under its own id."),
        "delete": Entry("app.cli.tasks:delete", "Remove a task and its whole history."),
        "gc": Entry("app.cli.gc:gc", "Clear away what no branch reaches, and tasks that ended long ago."),
        "fsck": Entry("app.cli.fsck:fsck", "Look for damage in tasks, all of them or those named."),
    },
    "Serve": {
        "worker": Entry("app.cli.worker:worker", "Run what servers take in."),
    },
    "Set up": {
        "doctor": Entry("app.cli.doctor:doctor", "See what works here, and what to do about the rest."),
        "namespace": Entry("app.cli:namespace", "Which tools a task may call."),
        "tool": Entry("app.cli:tool", "The tools there are."),
        "golden": Entry("app.cli:golden", "Runs that are kept to see what changed."),
        "key": Entry("app.cli:key", "Who may ask a server."),
    },
}

_CODES = "; ".join(f"{code} {meaning}" for code, meaning in MEANINGS.items())

namespace = LazyGroup("namespace", _NAMESPACE, help="Namespaces: which tools a task may call.")
tool = LazyGroup("tool", _TOOL, help="The tools that plans may call.")
key = LazyGroup("key", _KEY, help="API keys: who may ask a server, and for what.")
golden = LazyGroup("golden", _GOLDEN, help="Runs that are kept to see what changed.")
stackvm = click.version_option(package_name="stackvm", message="%(package)s %(version)s")(
    LazyGroup(
        "stackvm",
        _STACKVM,
        asks_servers=True,
        help="""Run plans whose every step is a commit, and look at what they did.

        TASK is a task's id or the beginning of one. REV is a branch, a commit's id or the beginning of one,
        or either followed by ~N for the N-th commit before it.

        A run's answer goes to stdout, its progress to stderr. With --json, a command writes one JSON
        document to stdout and nothing else.

        With --server, or STACKVM_SERVER set, execute, resume, tasks, show, log, decide, pause and cancel are about
        the tasks of that server; STACKVM_API_KEY is the key for it. All others work on this machine.""",
        epilog=f"Exit codes: {_CODES}.",
    )
)


def main() -> None:
    """The console script."""
    stackvm.main(prog_name="stackvm")
