# SPDX-License-Identifier: Apache-2.0
"""What the shell offers after an option, where the words are known: boards and devices."""

from __future__ import annotations


def board(incomplete: str) -> list[tuple[str, str]]:
    """Boards with their names."""
    from edgecxr.core.board import boards

    return [(one.id, one.name) for one in boards().values() if one.id.startswith(incomplete)]


def emulated(incomplete: str) -> list[tuple[str, str]]:
    """Boards that can be emulated, and this computer."""
    from edgecxr.core.board import boards

    known = [("host", "this computer")]
    known += [(one.id, one.name) for one in boards().values() if one.emulator]
    return [(name, said) for name, said in known if name.startswith(incomplete)]


def device(incomplete: str) -> list[tuple[str, str]]:
    """Where a model can run, but for what is attached: ports are asked for their names too slowly
    to do it at each key."""
    known = [("host", "this computer"), ("serial", "the one board that is attached")]
    known += [(f"emulator:{name}", f"{said}, emulated") for name, said in emulated("")]
    return [(name, said) for name, said in known if name.startswith(incomplete)]
