"""Where the tasks are that a command is about: here, or at the server that ``--server`` or STACKVM_SERVER names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.bootstrap import workplace
from app.cli.groups import given_server
from app.config import Settings, load_settings
from app.services.desk import Desk, LocalDesk

if TYPE_CHECKING:
    from app.remote.desk import RemoteDesk


@contextmanager
def open_desk() -> Iterator[Desk]:
    """Who is asked about tasks. Raises ``ConfigurationError``."""
    settings = load_settings()
    with open_server_desk(settings) as remote:
        if remote is not None:
            yield remote
            return
        with workplace(settings) as place:
            yield LocalDesk(place)


@contextmanager
def open_server_desk(settings: Settings) -> Iterator[RemoteDesk | None]:
    """The server that is to be asked; ``None`` where tasks are here."""
    given = given_server()
    address = settings.stackvm_server if given is None else given
    if not address:
        yield None
        return
    from app.remote.client import ServerClient  # an HTTP client takes a tenth of a second to load
    from app.remote.desk import RemoteDesk

    with ServerClient(address, settings.stackvm_api_key.get_secret_value()) as client:
        yield RemoteDesk(client)
