"""What the page is made of: its files, the version that all of them together have, and the policy it runs under."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from os.path import normpath
from pathlib import Path
from time import monotonic
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
_IMPORT: Final = re.compile(r"""^(?:import|export)\b[^"';]*?["']([^"']+)["'];?$""", re.MULTILINE)
_ROUTE: Final = re.compile(r"""path: "([^"]+)".*?import\("\./([^"]+)"\)(?:, css: "([^"]+)")?""")
_BARE: Final = {"preact": "vendor/preact.mjs", "preact/hooks": "vendor/hooks.mjs", "htm": "vendor/htm.mjs"}
_VERSION_CHARS: Final = 16
_LOOKED_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Page:
    """``index.html`` as it is sent, but for the nonce of its styles, and the policy's part on scripts."""

    html: bytes
    script_hashes: tuple[str, ...]


def version() -> str:
    """One name for the content of all files together: part of their URLs, so that they may be kept for good."""
    return _version_lately(int(monotonic() / _LOOKED_SECONDS))


@lru_cache(maxsize=1)
def _version_lately(now: int) -> str:
    """``now`` only tells one second from the next: a page asks for dozens of files at once."""
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


@lru_cache(maxsize=64)
def page(of_version: str, screen: str | None = None) -> Page:
    """The index with that version filled in, and with what a screen (its module) needs asked for at once."""
    base = f"/static/{of_version}"
    modules = [*_closure("js/main.js"), *(_closure(screen) if screen is not None else ())]
    links = [f'<link rel="modulepreload" href="{base}/{name}">' for name in dict.fromkeys(modules)]
    style = dict(_routes().values()).get(screen) if screen is not None else None
    if style is not None:
        links.append(f'<link rel="stylesheet" href="{base}/css/{style}.css">')
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    html = text.replace("{{preloads}}", "\n    ".join(links)).replace("{{version}}", of_version).encode()
    hashes = tuple(
        f"'sha256-{b64encode(hashlib.sha256(inline).digest()).decode()}'"
        for inline in _INLINE_SCRIPT.findall(html)
    )
    return Page(html, hashes)


def screen_of(path: str) -> str | None:
    """The module of the screen that a path leads to, as the table in ``main.js`` says."""
    parts = [part for part in path.split("/") if part]
    for pattern, (module, _) in _routes().items():
        wanted = [part for part in pattern.split("/") if part]
        if len(wanted) == len(parts) and all(
            name.startswith(":") or name == part for name, part in zip(wanted, parts, strict=True)
        ):
            return module
    return None


def _routes() -> dict[str, tuple[str, str | None]]:
    """Of each route the module and the style sheet."""
    found = _ROUTE.findall((STATIC / "js" / "main.js").read_text(encoding="utf-8"))
    return {path: (f"js/{module}", css or None) for path, module, css in found}


def _closure(name: str) -> Iterator[str]:
    """A module and all that it imports, but for what it imports when it is needed: one request after another else."""
    waiting, seen = [name], {name}
    while waiting:
        module = waiting.pop()
        yield module
        for imported in _IMPORT.findall((STATIC / module).read_text(encoding="utf-8")):
            other = _BARE.get(imported) or Path(normpath(str(Path(module).parent / imported))).as_posix()
            if other not in seen and (STATIC / other).is_file():
                seen.add(other)
                waiting.append(other)


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
