"""StackVM: plan-and-execute for language-model agents; every run is a branch in git.

The map of the package, doors first; imports go down only (``tests/test_layers.py`` holds that):

    cli            commands: ``stackvm …`` and ``flask stackvm …``
    bootstrap      wiring: settings → services; the only place that names concrete adapters
    services       use cases: verbs, transactions
    vm, planner    interpreter, machine, replay; from a goal to a plan
    history, tools, db, llm adapters: git objects and their stores; what steps may call; rows; models
    plan           the language: model, parser, references, expressions, checker, diff
    config, errors
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask


def create_app() -> Flask:
    """The Flask application. ``flask stackvm …`` and ``flask namespace …`` find their commands here."""
    from flask import Flask

    from app.cli import namespace, stackvm, tool

    app = Flask("stackvm")
    for group in (stackvm, namespace, tool):
        app.cli.add_command(group)
    return app
