# SPDX-License-Identifier: Apache-2.0
"""Words of generated C and C++: identifiers, strings, comments, numbers, arrays."""

from __future__ import annotations

import re
from collections.abc import Iterable

from edgecxr.errors import UsageError

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_KEYWORDS = frozenset(
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t
    char32_t class compl concept const consteval constexpr constinit const_cast continue co_await
    co_return co_yield decltype default delete do double dynamic_cast else enum explicit export
    extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq
    nullptr operator or or_eq private protected public register reinterpret_cast requires restrict
    return short signed sizeof static static_assert static_cast std struct switch template tflite
    this thread_local throw true try typedef typeid typename union unsigned using virtual void
    volatile wchar_t while xor xor_eq
    """.split()  # noqa: SIM905 (a hundred words read better as text)
)
_BYTES_PER_LINE = 16


def check_identifier(name: str, option: str) -> str:
    """``name`` itself, if C and C++ both allow it as an identifier.

    Raises:
        UsageError: otherwise; it names ``option``.
    """
    if not _IDENTIFIER.fullmatch(name) or "__" in name or name in _KEYWORDS:
        raise UsageError(
            f"{option} is {name!r}, expected a C++ name: a letter, then letters, digits and single "
            "underscores, and no keyword"
        )
    return name


def string_literal(text: str) -> str:
    """``text`` as a C string in UTF-8; whatever is not plain ASCII is written in octal."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\?')
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'


def comment(text: str) -> str:
    """``text`` for a one-line comment: no line break, backslash or trigraph can end it early."""
    return re.sub(r"[^\x20-\x7e]|[\\?]", "_", text)


def float_literal(value: float) -> str:
    """A float32 constant with nine digits, which is exact."""
    digits = f"{value:.9g}"
    return f"{digits}f" if set(digits) & set(".e") else f"{digits}.0f"


def byte_rows(data: bytes) -> Iterable[str]:
    """``data`` as rows of an array's initializer."""
    for at in range(0, len(data), _BYTES_PER_LINE):
        yield "    " + ", ".join(f"0x{b:02x}" for b in data[at : at + _BYTES_PER_LINE]) + ","
