"""Secrets by name: a call's arguments hold ``secret:NAME``, the tool gets the value, nobody else sees it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Final

from app.errors import ArgumentsInvalid, ConfigurationError
from app.plan.model import Json
from app.plan.secrets import MARK, NAME, named_secrets, names_secret, secret_name
from app.tools.masks import Masks

SHORTEST: Final = 6
"""Characters. To hide a shorter value would tear holes into ordinary text."""
LONGEST: Final = 8_192


class Secrets:
    """``values`` by name. ``keys`` are hidden like them, but no call can name them: by what is shown instead."""

    def __init__(self, values: Mapping[str, str], keys: Mapping[str, str] | None = None) -> None:
        self._values = dict(values)
        self._plans: frozenset[str] | None = None
        self.masks = Masks({**(keys or {}), **{MARK + name: value for name, value in values.items()}})

    def of_plan(self, plan: Json) -> Secrets:
        """The same for the calls of a plan: they get the secrets that it names, and no others.

        A name that comes from a page, a file or a model is nobody's wish, and would carry a value out.
        """
        secrets = copy(self)
        secrets._plans = named_secrets(plan)
        return secrets

    def __repr__(self) -> str:
        return f"Secrets({', '.join(self._values)})"

    def resolve(self, arguments: Mapping[str, Json]) -> Mapping[str, Json]:
        """The arguments with values for names, at any depth; the very same object where nothing is named.

        Raises ``ArgumentsInvalid`` that names the setting of a secret that is not set.
        """
        if not any(map(names_secret, arguments.values())):
            return arguments
        return {name: self._resolved(value) for name, value in arguments.items()}

    def _resolved(self, value: Json) -> Json:
        kind = type(value)
        if kind is str:
            name = secret_name(value)
            return value if name is None else self._value(name)
        if kind is list:
            return [self._resolved(item) for item in value]
        if kind is dict:
            return {key: self._resolved(item) for key, item in value.items()}
        return value

    def _value(self, name: str) -> str:
        if self._plans is not None and name not in self._plans:
            raise ArgumentsInvalid(
                f"{MARK}{name} does not stand in the plan: it came with data, which can't name a secret",
                hint="write it into the step that needs it",
            )
        if name not in self._values:
            raise ArgumentsInvalid(
                f"{MARK}{name}: STACKVM_SECRET_{name} is not set", hint="put it into .env or the environment"
            )
        return self._values[name]


NO_SECRETS: Final = Secrets({})


def checked_secrets(values: Mapping[str, str], keys: Mapping[str, str] | None = None) -> Secrets:
    """Secrets as the operator set them. Raises ``ConfigurationError`` that names the variable, never the value."""
    for name, value in values.items():
        trouble, hint = _trouble_with(name, value)
        if trouble:
            raise ConfigurationError(f"STACKVM_SECRET_{name}: {trouble}", hint=hint)
    return Secrets(values, keys)


def _trouble_with(name: str, value: str) -> tuple[str, str | None]:
    if not NAME.fullmatch(name):
        return "no plan could name it", "a letter, then letters, digits and _, at most 64 in all"
    size = len(value.strip())
    if size < SHORTEST:
        hint = f"at least {SHORTEST} characters"
        return "too short to be told from ordinary text, so it can't be hidden", hint
    if size > LONGEST:
        return f"longer than {LONGEST:,} characters", "put it into a file, and name the file"
    if secret_name(value) is not None:
        return "its value is the name of a secret", "set it to the value itself"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "its value is not UTF-8 text", "encode it, for example as base64"
    return "", None
