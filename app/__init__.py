"""StackVM: plan-and-execute for language-model agents; every run is a branch in git.

The map of the package, doors first; imports go down only (``tests/test_layers.py`` holds that):

    cli            commands: ``stackvm …`` and ``flask stackvm …``
    bootstrap      wiring: settings → services; the only place that names concrete adapters
    web            the viewer: a page at ``/``, a client of the API
    api, worker    a server's doors: HTTP, and the threads that run
    remote         another server, asked over HTTP: what commands do with ``--server``
    services       use cases: verbs, transactions
    observability  lines, figures and spans of what goes on
    vm, planner    interpreter, machine, replay; from a goal to a plan
    history, tools, db, llm adapters: git objects and their stores; what steps may call; rows; models
    plan           the language: model, parser, references, expressions, checker, diff
    config, errors, log_fields
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask


def create_app() -> Flask:
    """The Flask application: commands for ``flask stackvm …`` and ``flask namespace …``, else the whole server."""
    import click
    from flask import Flask

    from app.cli import namespace, stackvm, tool

    context = click.get_current_context(silent=True)
    if context is not None and context.info_name != "run":
        app = Flask("stackvm")  # a command: it wants neither routes nor workers
    else:
        from app.server import make_server

        app = make_server()
    for group in (stackvm, namespace, tool):
        app.cli.add_command(group)
    return app
