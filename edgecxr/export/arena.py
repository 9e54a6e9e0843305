# SPDX-License-Identifier: Apache-2.0
"""How large TFLM's tensor arena must be: measured on the host, plus a stated margin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgecxr.core.tflm import measure_arena
from edgecxr.errors import MissingPackageError, ModelError

ALIGNMENT = 16
MARGIN_SHARE = 20  # one twentieth
MARGIN_LEAST = 1024
MARGIN_RULE = (
    f"The margin is {100 // MARGIN_SHARE} %, at least {MARGIN_LEAST:,} bytes, rounded up to a "
    f"multiple of {ALIGNMENT}. A 64-bit host's pointers make its figure an upper bound for 32-bit "
    "boards with the same kernels; the margin is for the scratch buffers of optimized kernels."
)


@dataclass(frozen=True)
class Arena:
    """An arena's size in bytes; what was not measured is None.

    Attributes:
        size: what the generated code reserves.
        measured: what TFLM used on the host.
        margin: ``size - measured``.
        how: in words, where the figure comes from.
    """

    size: int
    measured: int | None
    margin: int | None
    how: str


def with_margin(measured: int) -> int:
    """``measured`` bytes plus the margin of :data:`MARGIN_RULE`."""
    wanted = measured + max(MARGIN_LEAST, -(-measured // MARGIN_SHARE))
    return -(-wanted // ALIGNMENT) * ALIGNMENT


def arena_for(model: Path, given: int | None = None) -> Arena:
    """The arena for a ``.tflite`` file: ``given`` by hand, or measured in a process of its own.

    Raises:
        ModelError: if TFLM refuses the model, or cannot run it in ``given`` bytes.
        MissingPackageError: if nothing is given and tflite-micro is not installed.
    """
    try:
        found = measure_arena(model)
    except (MissingPackageError, ModelError) as error:
        if given is not None:
            return Arena(given, None, None, "given with --arena, not measured")
        if isinstance(error, ModelError):
            raise
        raise MissingPackageError(f"{error}, or give the size with --arena BYTES") from error
    if given is not None:
        # Activations take as much on every machine; only the structures beside them may shrink.
        if given < found.head:
            raise ModelError(
                f"expected an --arena of at least {found.head:,} bytes, which the activations "
                f"alone take, found {given:,}; leave it out to have it measured"
            )
        how = f"given with --arena; TFLM used {found.bytes_used:,} bytes on this host"
        return Arena(given, None, None, how)
    size = with_margin(found.bytes_used)
    how = (
        f"measured with tflite-micro {found.version} on a {8 * found.pointer_bytes}-bit host, "
        "plus a margin"
    )
    return Arena(size, found.bytes_used, size - found.bytes_used, how)
