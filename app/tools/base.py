"""A tool as data: what a function may be called with, what it gives, and what calling it does outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from pydantic import TypeAdapter

from app.plan.model import Retry
from app.plan.signature import ToolSignature

Effect: TypeAlias = Literal["pure", "read", "write", "irreversible"]
"""``pure``: a function of its arguments. ``read``: looks outside. ``write``: changes the outside, safe to
repeat with the same idempotency key. ``irreversible``: changes the outside and must not be repeated."""

EFFECTS: Final[tuple[Effect, ...]] = ("pure", "read", "write", "irreversible")


@dataclass(frozen=True, eq=False)
class Tool:
    """A function that a ``calling`` step may call. Calling the tool itself calls the plain function.

    ``parameters`` is a JSON schema of type object; ``result`` a schema, or ``None`` where nothing is known.
    ``declared`` says whether the author named the effect class. ``timeout`` is in seconds for one attempt.
    ``converters`` turn JSON into what the function's hints ask for, only where JSON itself is not that;
    ``extra_converter`` does so for what ``**kwargs`` takes. ``place`` is the function's ``file:line``,
    ``module`` the module that made the tool. ``secrets`` says whether ``secret:NAME`` in its arguments becomes
    the value. ``unavailable`` says why it can't work here, where it can't. Two tools are
    equal only if they are the same object.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    result: Mapping[str, Any] | None
    effect: Effect
    declared: bool
    timeout: float | None
    retry: Retry | None
    aliases: tuple[str, ...]
    version: str
    reuse: bool
    is_async: bool
    function: Callable[..., Any] = field(repr=False)
    context_parameter: str | None = None
    converters: Mapping[str, TypeAdapter[Any]] = field(default_factory=dict, repr=False)
    extra_converter: TypeAdapter[Any] | None = field(default=None, repr=False)
    place: str = ""
    module: str = ""
    secrets: bool = True
    unavailable: str | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The plain function, as its author wrote it: nothing is checked, converted or repeated."""
        return self.function(*args, **kwargs)

    @property
    def signature(self) -> ToolSignature:
        """What the checker needs to know."""
        return ToolSignature(self.name, self.parameters, self.result, self.aliases)

    @property
    def names(self) -> tuple[str, ...]:
        """The name, then the aliases."""
        return (self.name, *self.aliases)
