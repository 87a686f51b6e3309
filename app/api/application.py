"""The HTTP application: resources, guard and errors put together."""

from __future__ import annotations

from apiflask import APIFlask

from app.api import auditing, bodies, document, guard, limits, observing, problems, repeats
from app.api.chat import chat
from app.api.commits import commits
from app.api.docs import docs
from app.api.events import events
from app.api.git import git
from app.api.health import health
from app.api.keys import keys
from app.api.lookback import lookback
from app.api.metrics import metrics
from app.api.namespaces import namespaces
from app.api.open_proposals import open_proposals
from app.api.overviews import overviews
from app.api.plans import plans
from app.api.proposals import proposals
from app.api.state import Server, attach
from app.api.steering import steering
from app.api.tasks import tasks
from app.api.views import views

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
    app.url_map.merge_slashes = False  # a branch may be asked for that can't be there: that is no redirect
    attach(app, server)
    app.error_processor(problems.validation_problem)
    problems.register(app)  # behind it: that takes all errors of HTTP for its own
    document.register(app)
    observing.register(app, server.tracing)  # before the guard: who is refused is seen too
    guard.register(app)
    limits.register(app, server)
    bodies.register(app)
    repeats.register(app)
    auditing.register(app)
    for resource in (
        tasks,
        views,
        steering,
        events,
        chat,
        commits,
        lookback,
        overviews,
        proposals,
        open_proposals,
        plans,
        namespaces,
        keys,
        auditing.audit,
        docs,
        health,
        metrics,
    ):
        app.register_blueprint(resource)
    app.register_blueprint(git)
    return app
