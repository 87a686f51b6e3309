"""A commit on a line for a person: the step it executed, and where a value came from."""

from __future__ import annotations

from typing import Final

from app.cli.texts import short_commit
from app.history.commits import one_line
from app.services.commit_views import CommitView
from app.vm.writes import Origin

_TITLE_CHARACTERS: Final = 60


def step_text(view: CommitView) -> str:
    """``3 read_file ×2``: the step, what it is, how often it had come round; else the kind of the commit."""
    commit = view.commit
    if commit.seq_no is None or view.visit is None:
        return one_line(commit.kind or "commit", _TITLE_CHARACTERS)
    what = commit.trailers.get("Tool") or view.type or commit.kind
    visit = f" ×{view.visit:,}" if view.visit > 1 else ""
    return f"{commit.seq_no} {one_line(what, _TITLE_CHARACTERS)}{visit}"


def origin_text(origin: Origin) -> str:
    """``tool``, ``model qwen3``, ``edit by ann``."""
    words = [origin.kind]
    if origin.models:
        words += [", ".join(origin.models)]
    if origin.who is not None:
        words += ["by", origin.who]
    return one_line(" ".join(words), _TITLE_CHARACTERS)


def commit_line(view: CommitView) -> str:
    """``1a2b3c4d  step 3: read_file -> text``, with the visit where the step had come round."""
    visit = f" (×{view.visit:,})" if view.visit is not None and view.visit > 1 else ""
    return f"{short_commit(view.commit.id)}  {one_line(view.commit.subject, 100)}{visit}"
