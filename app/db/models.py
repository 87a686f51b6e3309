"""The tables. Times are integer milliseconds since the epoch; ids and hashes are bytes or their hex text.

The history (``repositories`` to ``objects``) knows nothing of tasks but their id: a store can be used on its
own. There are no foreign keys on its hot tables, where each would cost a look-up a row; what belongs together
is written and deleted in one transaction.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import mysql

SCHEMA_REVISION: Final = "0005"
"""The migration these tables are the result of. Revisions sort by their text."""

TASK_ID_LENGTH: Final = 64
NAME_LENGTH: Final = 240
"""Refs, branches, namespaces, tools, workers: characters."""

TRACE_LENGTH: Final = 64
"""A ``traceparent`` has 55 characters."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

# MySQL's BLOB and TEXT end at 64 KB.
LongBlob = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql")
LongText = Text().with_variant(mysql.LONGTEXT(), "mysql")
ObjectId = LargeBinary(20).with_variant(mysql.BINARY(20), "mysql")
# SQLite counts up only what is called INTEGER.
Number = BigInteger().with_variant(Integer(), "sqlite")

# Names and ids compare by their bytes everywhere: `a` is not `A`, and a range of ids is a prefix.
_BINARY_NAMES: Final[dict[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
# Numbers are never given twice, also after the newest row was deleted: caches go by them.
_NUMBERED: Final[dict[str, Any]] = {**_BINARY_NAMES, "sqlite_autoincrement": True}
# One tree of rows in the order of the primary key, as MySQL has it anyway.
_CLUSTERED: Final[dict[str, Any]] = {**_BINARY_NAMES, "sqlite_with_rowid": False}


def _name(length: int = NAME_LENGTH) -> Any:
    return String(length).with_variant(String(length, collation="C"), "postgresql")


alembic_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""Alembic's own table, read to see whether the schema is ours."""

tasks = Table(
    "tasks",
    metadata,
    Column("number", Number, primary_key=True),
    Column("id", _name(TASK_ID_LENGTH), nullable=False),
    Column("goal", LongText, nullable=False),
    Column("namespace", _name()),
    Column("status", String(16), nullable=False),
    Column("store", String(16), nullable=False),
    Column("current_branch", _name(), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    # A summary for lists, which would otherwise open every history.
    Column("steps", BigInteger, nullable=False),
    Column("error", LongText),
    Column("checksum", BigInteger),  # of all columns but the number, see `app/db/checksums.py`
    Column("planned_steps", BigInteger),
    Column("worked_ms", BigInteger),
    Column("usage", LongText),  # a JSON object, as in state.json
    UniqueConstraint("id"),
    Index("ix_tasks_created_ms", "created_ms", "number"),
    Index("ix_tasks_updated_ms", "updated_ms", "number"),
    **_NUMBERED,
)

branches = Table(
    "branches",
    metadata,
    Column("task", Number, ForeignKey("tasks.number", ondelete="CASCADE"), primary_key=True),
    Column("name", _name(), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("source", _name()),
    Column("source_head", String(40)),
    Column("checksum", BigInteger),
    **_CLUSTERED,
)

leases = Table(
    "leases",
    metadata,
    Column("task_id", _name(TASK_ID_LENGTH), primary_key=True),
    Column("branch", _name(), primary_key=True),
    Column("owner", _name()),  # null: nobody's
    Column("expires_ms", BigInteger, nullable=False),
    # Outlives the branch: one that is made again under the same name must not meet its old fences.
    Column("fence", BigInteger, nullable=False),
    # What the owner is asked to do at its next step (`pause`, `cancel`), and by whom.
    Column("request", String(16)),
    Column("requester", _name()),
    **_CLUSTERED,
)

attempts = Table(
    "attempts",
    metadata,
    Column("task_id", _name(TASK_ID_LENGTH), primary_key=True),
    Column("key", _name(64), primary_key=True),  # the idempotency key, hex
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("branch", _name(), nullable=False),
    Column("seq_no", BigInteger, nullable=False),
    Column("visit", BigInteger, nullable=False),
    Column("item", BigInteger),
    Column("tool", LongText, nullable=False),
    Column("inputs_hash", _name(64), nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("error", LongText),
    # Drawn by who began it, to know the row again where the answer to COMMIT was lost.
    Column("begun_by", String(16)),
    Column("checksum", BigInteger),
    **_CLUSTERED,
)

effects = Table(
    "effects",
    metadata,
    Column("task_id", _name(TASK_ID_LENGTH), primary_key=True),
    Column("branch", _name(), primary_key=True),
    Column("seq_no", BigInteger, primary_key=True, autoincrement=False),
    Column("visit", BigInteger, primary_key=True, autoincrement=False),
    Column("item", BigInteger, primary_key=True, autoincrement=False),
    Column("inputs_hash", _name(64), nullable=False),
    Column("outcome", LongBlob, nullable=False),
    Column("checksum", BigInteger),
    **_CLUSTERED,
)

tags = Table(
    "tags",
    metadata,
    Column("tag", _name(100), primary_key=True),
    Column("task", Number, primary_key=True, autoincrement=False, index=True),
    **_CLUSTERED,
)

jobs = Table(
    "jobs",
    metadata,
    Column("number", Number, primary_key=True),
    Column("task_id", _name(TASK_ID_LENGTH), nullable=False),
    Column("branch", _name(), nullable=False),
    Column("namespace", _name()),
    Column("priority", Integer, nullable=False),  # the highest first
    Column("parallel", Integer),
    Column("queued_ms", BigInteger, nullable=False),
    Column("not_before_ms", BigInteger, nullable=False),
    Column("owner", _name()),  # whose worker has it; null: nobody's
    Column("expires_ms", BigInteger, nullable=False),
    Column("takeovers", Integer, nullable=False),  # how often a worker lost it
    Column("trace", String(TRACE_LENGTH)),  # the traceparent of what asked for it
    UniqueConstraint("task_id", "branch"),
    Index("ix_jobs_priority", "priority", "number"),
    **_NUMBERED,
)
"""Runs that are to go on: a row as long as a worker has it or should take it."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _name(32), primary_key=True),
    Column("name", _name(), nullable=False),
    Column("secret_hash", _name(64), nullable=False),  # SHA-256 of a secret of 256 bits, hex
    Column("role", String(16), nullable=False),
    Column("namespace", _name()),  # null: all
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    **_BINARY_NAMES,
)

requests = Table(
    "requests",
    metadata,
    Column("actor", _name(), primary_key=True),
    Column("key", _name(200), primary_key=True),  # the client's Idempotency-Key
    Column("fingerprint", _name(64), nullable=False),  # of method, path and body
    Column("created_ms", BigInteger, nullable=False),
    Column("status", Integer),  # null: under way
    Column("body", LongText),
    Column("headers", LongText),
    **_CLUSTERED,
)

audit = Table(
    "audit",
    metadata,
    Column("number", Number, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", _name(), nullable=False),
    Column("action", _name(64), nullable=False),
    Column("task_id", _name(TASK_ID_LENGTH), index=True),
    Column("detail", LongText, nullable=False),  # a JSON object
    **_NUMBERED,
)

live = Table(
    "live",
    metadata,
    Column("task_id", _name(TASK_ID_LENGTH), primary_key=True),
    Column("branch", _name(), primary_key=True),
    Column("updated_ms", BigInteger, nullable=False),
    Column("data", LongText, nullable=False),
    **_CLUSTERED,
)
"""What is under way in a run, for whoever watches it through another process. Nothing depends on it."""

DELETED: Final = ""
"""The branch, which no branch is called, of a row of ``live`` that says that the task was deleted: of which
namespace it was, and when, as a JSON array."""

proposals = Table(
    "proposals",
    metadata,
    Column("number", Number, primary_key=True),
    Column("task_id", _name(TASK_ID_LENGTH), nullable=False, index=True),
    Column("branch", _name(), nullable=False),
    Column("base", String(40), nullable=False),  # the commit the branch stood at
    Column("plan", LongText, nullable=False),
    Column("origin", LongText, nullable=False),  # a JSON object: how it came about
    Column("options", LongText, nullable=False),  # a JSON object
    Column("status", String(16), nullable=False),
    Column("result", _name()),  # the branch that came of it
    Column("created_by", _name(), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    **_NUMBERED,
)

comments = Table(
    "comments",
    metadata,
    Column("number", Number, primary_key=True),
    Column("proposal", BigInteger, nullable=False, index=True),
    Column("seq_no", BigInteger),
    Column("author", _name(), nullable=False),
    Column("body", LongText, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    **_NUMBERED,
)

namespaces = Table(
    "namespaces",
    metadata,
    Column("name", _name(), primary_key=True),
    Column("allowed_tools", LongText, nullable=False),  # a JSON array
    Column("description", LongText, nullable=False),
    Column("policies", LongText, nullable=False),  # a JSON object
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("checksum", BigInteger),
    **_BINARY_NAMES,
)

repositories = Table(
    "repositories",
    metadata,
    Column("number", Number, primary_key=True),
    Column("task_id", _name(TASK_ID_LENGTH), nullable=False),
    # How often garbage was collected: a writer that knew objects from before must not count on them.
    Column("collected", BigInteger, nullable=False, server_default=text("0")),
    # By the database's clock; 0: before that was noted. One without a task is not garbage while it is young.
    Column("created_ms", BigInteger, nullable=False, server_default=text("0")),
    UniqueConstraint("task_id"),
    **_NUMBERED,
)

refs = Table(
    "refs",
    metadata,
    Column("repository", BigInteger, primary_key=True, autoincrement=False),
    Column("name", _name(), primary_key=True),
    Column("target", ObjectId),  # null: the ref is gone, or not there yet, and has a fence
    Column("fence", BigInteger, nullable=False),
    **_CLUSTERED,
)

journal = Table(
    "journal",
    metadata,
    Column("repository", BigInteger, primary_key=True, autoincrement=False),
    Column(
        "id", BigInteger, primary_key=True, autoincrement=False
    ),  # drawn, with a checksum of the data in it
    Column("data", LongBlob, nullable=False),
    **_BINARY_NAMES,  # not clustered: SQLite would move a row above 1 KB to a page of its own
)
"""Small writes, objects one after the other; folded into segments now and then."""

segments = Table(
    "segments",
    metadata,
    Column("id", Number, primary_key=True),
    Column("repository", BigInteger, nullable=False, index=True),
    Column("raw_bytes", BigInteger, nullable=False),
    Column("data", LongBlob, nullable=False),
    **_NUMBERED,
)

objects = Table(
    "objects",
    metadata,
    Column("repository", BigInteger, primary_key=True, autoincrement=False),
    Column("oid", ObjectId, primary_key=True),
    Column("segment", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    **_CLUSTERED,
)
"""Where each object lies: in which segment, from which byte, how many."""
