"""Runs the migrations on the database the settings name, or on the one a program hands over."""

from __future__ import annotations

from alembic.util import CommandError

from alembic import context
from app.config import load_settings
from app.db.models import metadata
from app.db.session import Database, open_database
from app.errors import StackVMError


def run() -> None:
    """Migrate, or write the SQL of it (``--sql``)."""
    handed_over: Database | None = context.config.attributes.get("database")
    database = handed_over or open_database(load_settings().database_url)
    if context.is_offline_mode():
        context.configure(dialect_name=database.kind, target_metadata=metadata, literal_binds=True)
        with context.begin_transaction():
            context.run_migrations()
        return
    try:
        with database.write() as connection:
            # SQLite alters a table by making it anew: batches.
            batch = database.kind == "sqlite"
            context.configure(connection=connection, target_metadata=metadata, render_as_batch=batch)
            with context.begin_transaction():
                context.run_migrations()
    finally:
        if handed_over is None:
            database.close()


try:
    run()
except StackVMError as error:  # one line, as every command gives
    raise CommandError(str(error)) from error
