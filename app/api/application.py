"""The HTTP application: resources, guard and errors put together."""

from __future__ import annotations

from apiflask import APIFlask

from app.api import guard, problems
from app.api.git import git
from app.api.health import health
from app.api.state import Server, attach
from app.api.tasks import tasks

MAX_BODY_BYTES = 32 * 1024 * 1024


def make_application(server: Server) -> APIFlask:
    """The application over a server's parts. Starts nothing."""
    app = APIFlask(
        "stackvm",
        title="StackVM",
        version="1",
        spec_path="/api/openapi.json",
        docs_path=None,
        json_errors=False,
    )
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        SPEC_PROCESSOR_PASS_OBJECT=False,
        VALIDATION_ERROR_STATUS_CODE=422,
        AUTO_404_RESPONSE=False,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    attach(app, server)
    problems.register(app)
    app.error_processor(problems.validation_problem)
    guard.register(app)
    for resource in (tasks, health):
        app.register_blueprint(resource)
    app.register_blueprint(git)
    return app
