# SPDX-License-Identifier: Apache-2.0
"""Reading FlatBuffers tables with every offset checked before it is followed.

FlatBuffers' own Python runtime does not verify what it reads. This reader does: bounds, alignment,
the size that each table states, and a limit on what is copied, so that many offsets to the same
bytes cannot make a small file take long or fill the memory.

Layout: https://flatbuffers.dev/internals/ (a table starts with a signed offset back to its vtable;
a vtable holds its own size, the table's size, then one offset per field; 0 means "not stored").
"""

from __future__ import annotations

from typing import Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from edgecxr.errors import ModelError

Kind = Literal["i1", "u1", "u2", "i4", "u4", "f4", "i8", "u8"]

_SIZES: dict[Kind, int] = {
    "i1": 1,
    "u1": 1,
    "u2": 2,
    "i4": 4,
    "u4": 4,
    "f4": 4,
    "i8": 8,
    "u8": 8,
}
_READS_PER_BYTE = 4
_MOST_READS = 8 * 2**20
_TABLE_COST = 16


def damaged(what: str) -> NoReturn:
    """Raise the one error for a file that breaks its own format."""
    raise ModelError(f"the .tflite file is damaged: {what}; convert or copy the model again")


class FlatBuffer:
    """A file's bytes, and how much may still be read of them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._limit = min(_READS_PER_BYTE * len(data), _MOST_READS)
        self._left = self._limit

    def spend(self, amount: int, what: str) -> None:
        """Count ``amount`` bytes as read, so that shared offsets cannot multiply the work."""
        self._left -= amount
        if self._left < 0:
            damaged(
                f"with {what} the names and numbers in it take more than {self._limit:,} bytes, "
                "far more than a model needs"
            )

    def array(self, kind: Kind, count: int, at: int, what: str) -> NDArray[np.generic]:
        """``count`` little-endian numbers at byte ``at``: a read-only view, no copy."""
        self._check(_SIZES[kind], count, at, what)
        return np.frombuffer(self.data, f"<{kind}", count, at)

    def integer(self, kind: Kind, at: int, what: str) -> int:
        """One integer at byte ``at``."""
        size = _SIZES[kind]
        self._check(size, 1, at, what)
        return int.from_bytes(self.data[at : at + size], "little", signed=kind[0] == "i")

    def _check(self, size: int, count: int, at: int, what: str) -> None:
        end = len(self.data)
        if at < 0 or at > end or count > (end - at) // size:
            damaged(f"{what} reaches outside the file of {end:,} bytes")
        if at % size:
            damaged(f"{what} is not aligned to {size} bytes")

    def root(self, what: str) -> Table:
        """The table that the file's first four bytes point at."""
        return Table(self, self.integer("u4", 0, what), what)


class Table:
    """One table. ``what`` names it in errors; a field is asked for by its slot in the schema."""

    def __init__(self, buffer: FlatBuffer, at: int, what: str) -> None:
        buffer.spend(_TABLE_COST, what)
        self._buffer, self._at, self._what = buffer, at, what
        vtable = at - buffer.integer("i4", at, what)
        vtable_size = buffer.integer("u2", vtable, what)
        self._size = buffer.integer("u2", vtable + 2, what)
        if vtable_size < 4 or vtable_size % 2:
            damaged(f"{what} has a vtable of {vtable_size} bytes")
        # Its first two entries are the two sizes just read.
        self._fields = buffer.array("u2", vtable_size // 2, vtable, what)[2:]
        buffer.array("u1", self._size, at, what)

    def _field(self, slot: int, size: int) -> int | None:
        """Where the field of ``size`` bytes in ``slot`` is, or None if it is not stored."""
        offset = int(self._fields[slot]) if slot < len(self._fields) else 0
        if offset == 0:
            return None
        if offset < 4 or offset + size > self._size:
            damaged(f"field {slot} of {self._what} lies outside its table")
        return self._at + offset

    def _pointee(self, slot: int) -> int | None:
        field = self._field(slot, 4)
        if field is None:
            return None
        return field + self._buffer.integer("u4", field, self._what)

    def integer(self, slot: int, kind: Kind, default: int = 0) -> int:
        """An integer or enum field; a bool is "u1"."""
        at = self._field(slot, _SIZES[kind])
        return default if at is None else self._buffer.integer(kind, at, self._what)

    def real(self, slot: int, default: float = 0.0) -> float:
        """A float32 field."""
        at = self._field(slot, 4)
        return default if at is None else float(self._buffer.array("f4", 1, at, self._what)[0])

    def vector(self, slot: int, kind: Kind) -> NDArray[np.generic] | None:
        """A vector of numbers as a read-only view, or None if it is not stored."""
        at = self._pointee(slot)
        if at is None:
            return None
        count = self._buffer.integer("u4", at, self._what)
        return self._buffer.array(kind, count, at + 4, self._what)

    def integers(self, slot: int, kind: Kind = "i4") -> tuple[int, ...]:
        """A vector of integers as Python's; empty if it is not stored."""
        view = self.vector(slot, kind)
        if view is None:
            return ()
        self._buffer.spend(view.nbytes, self._what)
        return tuple(view.tolist())

    def reals(self, slot: int) -> tuple[float, ...]:
        """A vector of float32; empty if it is not stored."""
        view = self.vector(slot, "f4")
        if view is None:
            return ()
        self._buffer.spend(view.nbytes, self._what)
        return tuple(view.tolist())

    def string(self, slot: int) -> str:
        """A string; empty if it is not stored. Bytes that are no UTF-8 are replaced."""
        view = self.vector(slot, "u1")
        if view is None:
            return ""
        self._buffer.spend(view.nbytes, self._what)
        return view.tobytes().decode(errors="replace")

    def table(self, slot: int, what: str) -> Table | None:
        """The table in a field (a union's too), or None if it is not stored."""
        at = self._pointee(slot)
        return None if at is None else Table(self._buffer, at, what)

    def length(self, slot: int) -> int:
        """How many entries a vector of tables has."""
        view = self.vector(slot, "u4")
        return 0 if view is None else len(view)

    def entry(self, slot: int, index: int, what: str) -> Table:
        """Entry ``index`` of a vector of tables; the caller has checked it against ``length``."""
        start = self._pointee(slot)
        if start is None:
            damaged(f"{what} is missing")
        at = start + 4 + 4 * index
        return Table(self._buffer, at + self._buffer.integer("u4", at, what), what)
