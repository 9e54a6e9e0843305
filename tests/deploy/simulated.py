# SPDX-License-Identifier: Apache-2.0
"""A computer with boards that come and go, on a clock that only its own waiting moves.

The ports are real pseudo-terminals, and they are touched for real: a board restarts when its
terminal was opened at 1200 baud and closed again.
"""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from edgecxr.core.ports import Port
from edgecxr.deploy import bootloader
from edgecxr.deploy.bootloader import Computer

NANO = Port("", 0x2341, 0x805A, "A1", "1-1", "Nano 33 BLE")
IN_BOOTLOADER = replace(NANO, pid=0x005A)


class Terminal:
    """A pseudo-terminal; ``name`` is the port that the host opens."""

    def __init__(self) -> None:
        self._board, host = pty.openpty()
        self.name = os.ttyname(host)
        os.close(host)

    @property
    def baud(self) -> int:
        """As it was set last."""
        return termios.tcgetattr(self._board)[4]

    def is_open(self) -> bool:
        """Whether a program holds the host's end."""
        os.set_blocking(self._board, False)
        try:
            os.read(self._board, 1)
        except BlockingIOError:
            return True
        except OSError:  # EIO: hung up
            return False
        return True

    def close(self) -> None:
        os.close(self._board)


@dataclass
class Plan:
    """What a board does after a touch: at so many seconds it shows this port, or none."""

    steps: Sequence[tuple[float, Port | None]]


@dataclass
class Simulated:
    """The computer, and what happened on it.

    Attributes:
        boards: the port that each board shows now.
        after_touch: by the touched port's name.
        events: what else happens at a second: a board's new port.
        touched: the names of the ports that were touched.
        looked: the seconds at which the ports were listed.
    """

    boards: dict[str, Port | None]
    after_touch: dict[str, tuple[str, Plan]] = field(default_factory=dict)
    events: list[tuple[float, str, Port | None]] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    looked: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def computer(self) -> Computer:
        return Computer(self.ports, self.touch, lambda: self.seconds, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def ports(self) -> list[Port]:
        self.looked.append(self.seconds)
        due = [event for event in self.events if event[0] <= self.seconds]
        self.events = [event for event in self.events if event[0] > self.seconds]
        for _, board, port in sorted(due, key=lambda event: event[0]):
            self.boards[board] = port
        return [port for port in self.boards.values() if port is not None]

    def touch(self, device: str) -> None:
        bootloader.touch(device)
        self.touched.append(device)
        board, plan = self.after_touch.get(device, ("", Plan(())))
        self.events += [(self.seconds + after, board, port) for after, port in plan.steps]


@contextmanager
def terminals(count: int) -> Iterator[list[Terminal]]:
    made = [Terminal() for _ in range(count)]
    try:
        yield made
    finally:
        for each in made:
            each.close()
