# SPDX-License-Identifier: Apache-2.0
"""Text that strangers wrote, names of bundles, classes and files: what passes, and how it shows.

:func:`one_line` and :func:`lines` make any text safe for a terminal, :func:`markdown` for a page.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

NOTICE = "For research and teaching. Not a medical device."
"""Ours: it is printed whatever a bundle says."""

LONGEST_NAME = 100
"""Characters of a bundle's name or of a label."""
MOST_LABELS = 2000
"""ImageNet's 1,000 and the like; a board has room for far fewer."""

# Persian, the languages of India and emoji are written with them.
_JOINERS = "\u200c\u200d"
# Letters and symbols that show nothing: Hangul's fillers and Braille's empty cell.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MARKDOWN = "\\`*{}[]<>#|!~&$"


def _unprintable(character: str) -> bool:
    """Control and format characters, halves of pairs, separators of lines, and what Unicode has not
    assigned: they write nothing, and move, hide or break what stands beside them."""
    category = unicodedata.category(character)
    return (category[0] == "C" and character not in _JOINERS) or category in ("Zl", "Zp")


def _escaped(character: str) -> str:
    if not _unprintable(character):
        return character
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str) -> str:
    """Any text for a terminal, on one line: what does not print is shown by its escape."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def lines(text: str) -> str:
    """Any text for a terminal; its own line breaks stay."""
    return "\n".join(map(one_line, text.split("\n")))


def markdown(text: str) -> str:
    """Any text as Markdown that shows it as it is, on one line, in a cell of a table too."""
    flat = one_line(" ".join(text.splitlines()))
    safe = "".join(f"\\{c}" if c in _MARKDOWN else c for c in flat)
    # Between letters or digits GitHub takes an underscore as it is.
    safe = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", safe)
    # At the beginning these would be a list, a line under a heading, or a rule.
    return re.sub(r"^(\s*\d*)([-+=.)])(?=\s|$)", r"\1\\\2", safe)


def code(text: str) -> str:
    """Any text as code in Markdown, in a cell of a table too."""
    safe = one_line(text).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", safe)), default=0))
    space = " " if safe.startswith("`") or safe.endswith("`") else ""
    return f"{fence}{space}{safe}{space}{fence}"


def fault_of_name(name: str) -> str | None:
    """Why a bundle may not have this name, in words; None if it may.

    It names files and folders that are made from the bundle, so it is one part of a path.
    """
    if name in ("", ".", ".."):
        return "empty, or one that stands for a folder"
    if name.startswith("-"):
        return "that a command would take for an option"
    return _fault(name) or ("with a slash or a backslash" if set(name) & set("/\\") else None)


def fault_of_labels(labels: Sequence[str], outputs: int | None = None) -> str | None:
    """Why a model cannot have these classes, in words; None if it can.

    Quotes, signs and every script are welcome; two labels that look the same are not.

    Args:
        outputs: how many the model has; None if that is not known.
    """
    if not 2 <= len(labels) <= MOST_LABELS:
        return f"{len(labels):,} labels, expected 2 to {MOST_LABELS:,}"
    seen: dict[str, str] = {}
    for label in labels:
        fault = _fault(label)
        if fault is not None:
            return f"the label {shortened(label)!a} {fault}"
        shown = " ".join(unicodedata.normalize("NFC", label).split())
        if shown in seen:
            return f"the label {shortened(label)!r} twice"
        seen[shown] = label
    if outputs is not None and len(labels) != outputs:
        return f"{len(labels)} labels for a model of {outputs} outputs"
    return None


def _fault(text: str) -> str | None:
    if any(map(_unprintable, text)):
        return "with characters that do not print"
    if all(c in _BLANK or unicodedata.category(c)[0] in "CMZ" for c in text):
        return "in which nothing is to be seen"
    if len(text) > LONGEST_NAME:
        return f"of {len(text):,} characters, more than {LONGEST_NAME}"
    return None


def shortened(text: str, most: int = 60) -> str:
    """Of a long text the beginning."""
    return text if len(text) <= most else f"{text[:most]}…"


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names for a sentence: of many the first, and how many there are."""
    shown = ", ".join(shortened(one_line(name)) for name in names[:most])
    return shown if len(names) <= most else f"{shown}, … ({len(names):,} in all)"
