"""A server's API over HTTP: documents in and out, and whatever goes wrong as an error of ours, in one line."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ssl import SSLCertVerificationError
from time import sleep
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from app.errors import ConfigurationError, InputError, ServerFailed, StackVMError
from app.history.commits import one_line
from app.remote.problems import error_of

_CONNECT_SECONDS: Final = 10.0
_SILENT_SECONDS: Final = 60.0
_STREAM_SILENT_SECONDS: Final = 45.0
"""A server says something on every stream more often than that."""
_TRIES: Final = 4
_MOST_WAIT_SECONDS: Final = 30.0
_MAX_SAID: Final = 200
_NOBODY: Final = "no server answers at"


class ServerClient:
    """One server. May be used by several threads at once. Closed at the end of a ``with``."""

    def __init__(self, address: str, api_key: str = "") -> None:
        self.address = _checked(address)
        if not (api_key.isascii() and api_key.isprintable()):
            raise ConfigurationError(
                "STACKVM_API_KEY holds characters that no key has", hint="copy it once more"
            )
        headers = {"Accept": "application/json", "User-Agent": "stackvm"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        timeout = httpx.Timeout(_SILENT_SECONDS, connect=_CONNECT_SECONDS)
        try:
            with _told(self.address):
                self._client = httpx.Client(headers=headers, timeout=timeout)
        except (ValueError, ImportError) as error:
            raise ConfigurationError(
                f"the environment's proxy can't be used: {one_line(str(error), _MAX_SAID)}",
                hint="see HTTP_PROXY, HTTPS_PROXY and ALL_PROXY; NO_PROXY names servers without one",
            ) from None

    def __enter__(self) -> ServerClient:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The document at a path; where the server is busy, asked for again."""
        return self._patiently(lambda: self._ask("GET", path, query=query))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer to a request, which is made once, however often it has to be sent."""
        data = _encoded(body)
        headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
        return self._patiently(lambda: self._ask("POST", path, data=data, headers=headers))

    @contextmanager
    def stream(
        self, path: str, query: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Iterator[Iterator[str]]:
        """The lines of an event stream. Raises as :meth:`get`, without asking again."""
        timeout = httpx.Timeout(_STREAM_SILENT_SECONDS, connect=_CONNECT_SECONDS)
        with (
            _told(self.address),
            self._client.stream(
                "GET",
                self.address + path,
                params=_given(query),
                headers={"Accept": "text/event-stream", **headers},
                timeout=timeout,
            ) as response,
        ):
            if not response.is_success:
                response.read()
                self._document(response)
            yield response.iter_lines()

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        with _told(self.address):
            response = self._client.request(
                method, self.address + path, params=_given(query or {}), content=data, headers=headers
            )
        return self._document(response)

    def _document(self, response: httpx.Response) -> Any:
        if response.is_redirect:
            there = one_line(response.headers.get("Location", "elsewhere"), _MAX_SAID)
            raise ConfigurationError(
                f"{self.address} sends its callers to {there}", hint="give that address to --server"
            )
        try:
            document = response.json()
        except (ValueError, RecursionError):
            document = None
        if response.is_success and document is not None:
            return document
        if isinstance(document, dict) and isinstance(document.get("code"), str):
            raise error_of(response.status_code, document, self.address, _retry_after(response))
        raise ServerFailed(
            f"{self.address} is no StackVM server: it answered with status {response.status_code}"
            f" {response.reason_phrase}".rstrip(),
            hint="see --server and STACKVM_SERVER",
            may_pass=response.status_code in (502, 503, 504),
        )

    def _patiently(self, ask: Callable[[], Any]) -> Any:
        for tried in range(1, _TRIES):
            try:
                return ask()
            except StackVMError as error:
                wait = _worth_waiting(error, tried)
                if wait is None:
                    raise
                sleep(wait)
        return ask()


def _checked(address: str) -> str:
    """The address without the slash at its end. Raises ``ConfigurationError``."""
    hint = "give it as http://127.0.0.1:8080 or https://stackvm.example.com"
    try:
        parts = urlsplit(address.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        httpx.URL(address.strip())
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable or parts.query or parts.fragment or not address.strip().isprintable():
        raise ConfigurationError(f"{one_line(address, 100)!r} is no address of a server", hint=hint)
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            "the server's address holds a name or password", hint="a key goes into STACKVM_API_KEY"
        )
    return address.strip().rstrip("/").removesuffix("/api")


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(_given(body), ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise InputError(f"that can't be sent as JSON: {error}") from None


@contextmanager
def _told(server: str) -> Iterator[None]:
    """What the connection raises, said by what is to be done about it."""
    try:
        yield
    except httpx.TimeoutException as error:
        during = "take the connection" if isinstance(error, httpx.ConnectTimeout) else "answer in time"
        raise ServerFailed(f"{server} does not {during}", hint="is it up?", may_pass=True) from None
    except httpx.ConnectError as error:
        raise _not_connected(server, error) from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
        raise ConfigurationError(f"{server!r} is no address of a server") from None
    except httpx.TransportError as error:
        said = one_line(str(error), _MAX_SAID) or type(error).__name__
        raise ServerFailed(f"the connection to {server} broke: {said}", may_pass=True) from None
    except httpx.HTTPError as error:
        raise ServerFailed(f"{server}: {one_line(str(error), _MAX_SAID)}") from None
    except OSError as error:  # a file of certificates that is not there
        raise ConfigurationError(f"{server} can't be asked: {error.strerror or error}") from None


def _not_connected(server: str, error: httpx.ConnectError) -> StackVMError:
    said = one_line(str(error), _MAX_SAID)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SSLCertVerificationError):
            return ConfigurationError(
                f"the certificate of {server} is not to be trusted: {cause.verify_message}",
                hint="SSL_CERT_FILE names a file of certificates that are",
            )
        cause = cause.__cause__ or cause.__context__
    if "SSL" in said.upper():
        return ConfigurationError(f"{server} does not speak TLS: {said}", hint="is it http://?")
    return ServerFailed(
        f"{_NOBODY} {server}: {said}", hint="is it up? `make serve` starts one here", may_pass=True
    )


def _worth_waiting(error: StackVMError, tried: int) -> float | None:
    """For how long, before asking again; ``None``: it is of no use."""
    if not isinstance(error, ServerFailed) or not error.may_pass or error.message.startswith(_NOBODY):
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= _MOST_WAIT_SECONDS else None
    return 0.25 * 2.0**tried


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None
