"""What is selected to make a :class:`app.db.base.TaskRow`: columns of ``tasks``, and how many branches there are."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import func, select

from app.db.base import TaskRow
from app.db.models import branches, tasks

TASK_FIELDS: Final = tuple(name for name in TaskRow.__dataclass_fields__ if name != "branches")
"""Those that are columns."""

# A range of the primary key for each row that is given, never for one that was only looked at.
_BRANCHES: Final = (
    select(func.count()).where(branches.c.task == tasks.c.number).correlate(tasks).scalar_subquery()
)

TASK_COLUMNS: Final[tuple[Any, ...]] = (*(tasks.c[name] for name in TASK_FIELDS), _BRANCHES.label("branches"))
"""In the order of the fields."""
