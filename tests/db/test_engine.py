"""Drivers, and what they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from databases import new_database
from sqlalchemy import event

from app.db.engine import make_engine, parse_url
from app.db.session import open_database


@pytest.mark.parametrize(
    ("uri", "driver"),
    [
        ("sqlite:///x.db", "sqlite+pysqlite"),
        ("mysql://x/y", "mysql+pymysql"),
        ("mysql+pymysql://x/y", "mysql+pymysql"),
        ("mariadb://x/y", "mysql+pymysql"),
        ("postgresql://x/y", "postgresql+psycopg"),
        ("postgres://x/y", "postgresql+psycopg"),
    ],
)
def test_the_driver_is_the_one_we_ship(uri: str, driver: str) -> None:
    assert parse_url(uri).drivername == driver


def arguments_of(uri: str) -> dict[str, Any]:
    """What the driver's ``connect`` would be called with."""
    engine = make_engine(uri)
    given: dict[str, Any] = {}

    class NotReally(Exception):
        pass

    @event.listens_for(engine, "do_connect")
    def refuse(dialect: object, record: object, arguments: object, options: dict[str, Any]) -> None:
        given.update(options)
        raise NotReally

    with pytest.raises(NotReally):
        engine.connect()
    return given


def test_tidbs_parameters_reach_the_driver_with_their_types() -> None:
    given = arguments_of(
        "mysql+pymysql://user:word@gateway:4000/test"
        "?ssl_ca=/etc/ssl/cert.pem&ssl_verify_cert=true&ssl_verify_identity=true"
    )
    assert given["ssl_ca"] == "/etc/ssl/cert.pem"
    assert given["ssl_verify_cert"] is True
    assert given["ssl_verify_identity"] is True
    assert "ssl" not in given
    assert (given["host"], given["port"], given["database"]) == ("gateway", 4000, "test")
    assert given["charset"] == "utf8mb4"


def test_a_flag_may_be_off() -> None:
    given = arguments_of("mysql://x/y?ssl_verify_cert=false&ssl_disabled=1")
    assert given["ssl_verify_cert"] is False
    assert given["ssl_disabled"] is True
    assert "ssl_ca" not in given


def test_a_verified_server_is_verified_by_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without authorities the driver would check no host name."""
    monkeypatch.setenv("SSL_CERT_FILE", __file__)
    given = arguments_of("mysql://x/y?ssl_verify_identity=true")
    assert given["ssl_ca"] == __file__


def test_other_parameters_stay() -> None:
    given = arguments_of("mysql://x/y?charset=latin1&connect_timeout=3")
    assert given["charset"] == "latin1"
    assert given["connect_timeout"] == 3


@pytest.mark.parametrize(
    ("kind", "asking"), [("mariadb", "SELECT @@tx_isolation"), ("postgresql", "SHOW transaction_isolation")]
)
def test_servers_read_what_is_committed(kind: str, asking: str, tmp_path: Path) -> None:
    with new_database(kind, tmp_path) as url:
        database = open_database(url)
        with database.read() as connection:
            level = connection.exec_driver_sql(asking).scalar_one()
        database.close()
    assert level.lower().replace("-", " ") == "read committed"
