"""What the page is made of: its files, the version that all of them together have, and the policy it runs under."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".md": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
_INLINE_SCRIPT: Final = re.compile(rb"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)
_VERSION_CHARS: Final = 16


@dataclass(frozen=True, slots=True)
class Page:
    """``index.html`` as it is sent, but for the nonce of its styles, and the policy's part on scripts."""

    html: bytes
    script_hashes: tuple[str, ...]


def version() -> str:
    """One name for the content of all files together: part of their URLs, so that they may be kept for good."""
    return _version(tuple(_stamps()))


def _stamps() -> Iterator[tuple[str, int, int]]:
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            stat = path.stat()
            yield path.relative_to(STATIC).as_posix(), stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=2)
def _version(stamps: tuple[tuple[str, int, int], ...]) -> str:
    # By content: two machines that serve the same files give them the same name, whenever they were installed.
    digest = hashlib.sha256()
    for name, _, _ in stamps:
        digest.update(name.encode() + b"\0" + (STATIC / name).read_bytes())
    return digest.hexdigest()[:_VERSION_CHARS]


@lru_cache(maxsize=2)
def page(of_version: str) -> Page:
    """The index with that version filled in."""
    preloads = "\n    ".join(
        f'<link rel="modulepreload" href="/static/{of_version}/{name}">' for name in sorted(_preloaded())
    )
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    html = text.replace("{{preloads}}", preloads).replace("{{version}}", of_version).encode()
    hashes = tuple(
        f"'sha256-{b64encode(hashlib.sha256(inline).digest()).decode()}'"
        for inline in _INLINE_SCRIPT.findall(html)
    )
    return Page(html, hashes)


def _preloaded() -> Iterator[str]:
    """Modules that every screen needs: asked for at once, rather than one import after another."""
    yield from ("vendor/preact.mjs", "vendor/hooks.mjs", "vendor/htm.mjs", "js/main.js", "js/frame.js")
    yield from (path.relative_to(STATIC).as_posix() for path in (STATIC / "js" / "core").glob("*.js"))


def find(name: str) -> tuple[bytes, str] | None:
    """A file's content and type; ``None`` where there is none of that name."""
    path = (STATIC / name).resolve()
    if STATIC.resolve() not in path.parents or not path.is_file() or path.name == "index.html":
        return None
    guessed = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return path.read_bytes(), guessed


def policy(script_hashes: tuple[str, ...], style_nonce: str) -> str:
    """The Content-Security-Policy: everything from here, no inline script but the import map.

    The nonce is for the style sheet that the code editor writes.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {' '.join(script_hashes)}",
            f"style-src 'self' 'nonce-{style_nonce}'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )
