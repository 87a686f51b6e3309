"""Names that people can tell apart: what looks like another name, or turns the line around it, is no new name.

Letters of every alphabet are letters. What exists already keeps its name: only making new ones asks here.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Characters that are drawn as nothing though Unicode counts them among letters, marks and signs.
_BLANK: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_UNSEEN: Final = {
    "Cc": "a control character",
    "Cf": "which can't be seen",
    "Cs": "half a character",
    "Co": "which means nothing outside a font",
    "Cn": "which is no character",
    "Zl": "which ends a line",
    "Zp": "which ends a paragraph",
    "Zs": "which looks like a space",
}
"""By the general category."""


def trouble_with_characters(name: str) -> str | None:
    """What of a name can't be seen, as the end of a sentence that begins with the name; it names the character."""
    for character in name:
        kind = unicodedata.category(character)
        if kind in _UNSEEN and character != " ":
            return f"contains {_called(character)}, {_UNSEEN[kind]}"
        if _BLANK.match(character):
            return f"contains {_called(character)}, {_UNSEEN['Cf']}"
    composed = unicodedata.normalize("NFC", name)
    if composed != name:
        other = next(
            (at for at, (ours, right) in enumerate(zip(name, composed, strict=False)) if ours != right),
            len(composed),
        )
        # A mark that follows its letter, or a character that stands for another.
        at = other + (other + 1 < len(name) and unicodedata.combining(name[other + 1]) > 0)
        return f"contains {_called(name[min(at, len(name) - 1)])}, which another spelling of the name has not (NFC)"
    return None


def _called(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()
