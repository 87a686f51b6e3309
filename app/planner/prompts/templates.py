"""The prompt files: read when first used, rendered strictly, named by their hash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined, meta

from app.llm.base import Message, Role

_FOLDER: Final = Path(__file__).parent
_ROLES: Final[tuple[Role, ...]] = ("system", "user")
_HASH_DIGITS: Final = 16

_environment: Final = Environment(
    loader=FileSystemLoader(_FOLDER),
    undefined=StrictUndefined,
    autoescape=False,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """``name`` is the file's, ``hash`` 16 hex digits over it and every file it includes."""

    name: str
    hash: str
    messages: tuple[Message, ...]


def render(name: str, values: Mapping[str, str]) -> Prompt:
    """The prompt of that file. Each of its blocks is one message; a value that is missing raises."""
    template = _environment.get_template(f"{name}.jinja")
    context = template.new_context(dict(values))
    messages = tuple(
        Message(role, _tidy("".join(template.blocks[role](context))))
        for role in _ROLES
        if role in template.blocks
    )
    return Prompt(name, prompt_hash(name), messages)


@lru_cache
def prompt_hash(name: str) -> str:
    """The hash of a prompt's text before anything is filled in."""
    digest = sha256()
    for file in sorted(set(_files(f"{name}.jinja"))):
        digest.update(f"{file}\0".encode() + (_FOLDER / file).read_bytes() + b"\0")
    return digest.hexdigest()[:_HASH_DIGITS]


def _files(file: str) -> Iterator[str]:
    yield file
    tree = _environment.parse((_FOLDER / file).read_text(encoding="utf-8"))
    for included in meta.find_referenced_templates(tree):
        yield from _files(cast(str, included))


def _tidy(text: str) -> str:
    """Without the blank lines that empty values leave at the ends."""
    return text.strip()
