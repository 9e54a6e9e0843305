# SPDX-License-Identifier: Apache-2.0
"""A debug probe for pyOCD whose chip is QEMU's micro:bit.

pyOCD finds the core, halts it, loads its flash algorithm into RAM and runs it there, as on a real
chip; QEMU runs the algorithm and its model of the nRF51's flash controller. What is made up here is
only what lies between: the debug port, the ROM table and the core's debug registers, translated to
QEMU's gdb stub.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyocd.core.memory_interface import MemoryInterface
from pyocd.probe.debug_probe import DebugProbe

SECONDS = 20.0
_PIECE = 1024
DHCSR, DCRSR, DCRDR, DEMCR = 0xE000EDF0, 0xE000EDF4, 0xE000EDF8, 0xE000EDFC
AIRCR, DFSR = 0xE000ED0C, 0xE000ED30
_SCS, _ROM = 0xE000E000, 0xE00FF000
_C_HALT, _S_REGRDY, _S_HALT = 1 << 1, 1 << 16, 1 << 17
_XPSR_IN_GDB = 25
_FLASH_END, _RAM = 0x40000, 0x20000000


def _identity(page: int, kind: int, part: int) -> dict[int, int]:
    """The CoreSight registers that say what a page of debug memory is."""
    peripheral = (part & 0xFF, 0xB0 | part >> 8, 0x0B, 0)
    words = {page + 0xFE0 + 4 * index: value for index, value in enumerate(peripheral)}
    words |= {page + 0xFD0: 4, page + 0xFD4: 0, page + 0xFD8: 0, page + 0xFDC: 0}
    words |= {page + 0xFF0 + 4 * index: each for index, each in enumerate((0x0D, kind, 5, 0xB1))}
    return words


_FIXED = {
    **{_ROM + offset: 0 for offset in range(0, 0xFD0, 4)},
    **{_SCS + offset: 0 for offset in range(0xFA0, 0xFD0, 4)},
    **_identity(_ROM, 0x10, 0x471),
    **_identity(_SCS, 0xE0, 0x008),
    _ROM: ((_SCS - _ROM) & 0xFFFFF000) | 3,
    _ROM + 0xFCC: 1,
}


class Gdb:
    """QEMU's gdb stub."""

    def __init__(self, path: Path) -> None:
        self._line = socket.socket(socket.AF_UNIX)
        self._line.settimeout(SECONDS)
        self._line.connect(str(path))
        self._heard = b""
        # Registers can be had one by one only after the list of them was read.
        self.ask("qXfer:features:read:target.xml:0,fff")

    def close(self) -> None:
        self._line.close()

    def send(self, words: str) -> None:
        self._line.sendall(f"${words}#{sum(words.encode()) & 0xFF:02x}".encode())

    def ask(self, words: str) -> str:
        self.send(words)
        return self.reply(SECONDS)

    def interrupt(self) -> None:
        self._line.sendall(b"\x03")

    def reply(self, seconds: float) -> str:
        """The next packet; empty if none comes in time."""
        end = time.monotonic() + seconds
        while b"#" not in self._heard or len(self._heard) < self._heard.index(b"#") + 3:
            self._line.settimeout(max(end - time.monotonic(), 0.001))
            try:
                self._heard += self._line.recv(65536)
            except TimeoutError:
                return ""
        packet, _, rest = self._heard.partition(b"#")
        self._heard = rest[2:]
        self._line.sendall(b"+")
        return packet.lstrip(b"+").removeprefix(b"$").decode()


class Chip(MemoryInterface):
    """The chip's memory with its debug registers, as a memory access port shows it."""

    def __init__(self, gdb: Gdb) -> None:
        self._gdb = gdb
        self._registers = {DCRDR: 0, DEMCR: 0, DFSR: 0}
        self._halted = True
        self._stop_at = 0

    def read_memory(
        self, addr: int, transfer_size: int = 32, now: bool = True, **_attributes: Any
    ) -> int | Callable[[], int]:
        value = self._word(addr) if transfer_size == 32 else self._plain(addr, transfer_size // 8)
        return value if now else lambda: value

    def write_memory(
        self, addr: int, data: int, transfer_size: int = 32, **_attributes: Any
    ) -> None:
        if transfer_size == 32 and addr in (DHCSR, DCRSR, AIRCR, *self._registers):
            self._write_register(addr, data)
        else:
            self._write(addr, data.to_bytes(transfer_size // 8, "little"))

    def read_memory_block32(self, addr: int, size: int, **_attributes: Any) -> Sequence[int]:
        if addr >= _SCS:
            return [self._word(addr + 4 * index) for index in range(size)]
        return list(struct.unpack(f"<{size}I", self._read(addr, 4 * size)))

    def write_memory_block32(self, addr: int, data: Sequence[int], **_attributes: Any) -> None:
        self._write(addr, struct.pack(f"<{len(data)}I", *data))

    def read_memory_block8(self, addr: int, size: int, **_attributes: Any) -> Sequence[int]:
        return list(self._read(addr, size))

    def write_memory_block8(self, addr: int, data: Sequence[int], **_attributes: Any) -> None:
        self._write(addr, bytes(data))

    def _word(self, addr: int) -> int:
        if addr == DHCSR:
            self._look()
            return 1 | _S_REGRDY | (_S_HALT | _C_HALT if self._halted else 0)
        known = {**_FIXED, **self._registers}
        return known[addr] if addr in known else self._plain(addr, 4)

    def _plain(self, addr: int, size: int) -> int:
        return int.from_bytes(self._read(addr, size), "little")

    def _read(self, addr: int, size: int) -> bytes:
        found = b""
        with self._paused():
            while len(found) < size:
                piece = min(_PIECE, size - len(found))
                found += bytes.fromhex(self._gdb.ask(f"m{addr + len(found):x},{piece:x}"))
        return found

    def _write(self, addr: int, data: bytes) -> None:
        # QEMU's gdb stub could write flash as if it were RAM; only the chip itself may.
        assert addr >= _FLASH_END, f"flash was written at {addr:#x} without the flash controller"
        with self._paused():
            for at in range(0, len(data), _PIECE):
                piece = data[at : at + _PIECE]
                assert self._gdb.ask(f"M{addr + at:x},{len(piece):x}:{piece.hex()}") == "OK"

    @contextmanager
    def _paused(self) -> Iterator[None]:
        """The stub sees memory only while the core stands; a real probe sees it always."""
        self._look()
        running = not self._halted
        if running:
            self._gdb.interrupt()
            if self._gdb.reply(SECONDS).startswith("T05"):  # at the breakpoint just then
                self._stopped(2)
                running = False
        yield
        if running:
            self._gdb.send("c")

    def _write_register(self, addr: int, value: int) -> None:
        if addr == DHCSR:
            self._halt() if value & _C_HALT else self._run()
        elif addr == DCRSR:
            self._transfer(value)
        elif addr == AIRCR:
            self._reset()
        elif addr == DFSR:
            self._registers[DFSR] &= ~value
        else:
            self._registers[addr] = value

    def _transfer(self, request: int) -> None:
        """A core register to DCRDR, or from it."""
        number = request & 0x7F
        name = {16: _XPSR_IN_GDB, 17: 13}.get(number, number)
        if number > 17:
            self._registers[DCRDR] = 0  # PSP, PRIMASK and CONTROL: the stub has none of them
        elif request & 1 << 16:
            value = struct.pack("<I", self._registers[DCRDR]).hex()
            assert self._gdb.ask(f"P{name:x}={value}") == "OK"
        else:
            self._registers[DCRDR] = self._core(name)

    def _core(self, number: int) -> int:
        return int.from_bytes(bytes.fromhex(self._gdb.ask(f"p{number:x}")), "little")

    def _run(self) -> None:
        if not self._halted:
            return
        # A flash algorithm returns to a BKPT, at which QEMU does not halt by itself.
        back = self._core(14) & ~1
        self._stop_at = back if _RAM <= back < _RAM + 0x4000 else 0
        if self._stop_at:
            assert self._gdb.ask(f"Z0,{self._stop_at:x},2") == "OK"
        self._gdb.send("c")
        self._halted = False

    def _look(self) -> None:
        if not self._halted and self._gdb.reply(0.001):
            self._stopped(2)

    def _halt(self) -> None:
        if not self._halted:
            self._gdb.interrupt()
            assert self._gdb.reply(SECONDS)
            self._stopped(1)

    def _stopped(self, why: int) -> None:
        self._halted = True
        self._registers[DFSR] |= why
        if self._stop_at:
            assert self._gdb.ask(f"z0,{self._stop_at:x},2") == "OK"
            self._stop_at = 0

    def _reset(self) -> None:
        self._halt()
        answer = self._gdb.ask(f"qRcmd,{b'system_reset'.hex()}")
        while answer not in ("OK", ""):  # what the monitor prints comes before
            answer = self._gdb.reply(SECONDS)
        if self._registers[DEMCR] & 1:  # VC_CORERESET
            self._registers[DFSR] |= 8
        else:
            self._gdb.send("c")
            self._halted = False


class QemuProbe(DebugProbe):
    """The probe itself: a debug port with one memory access port."""

    unique_id = "9900000000000001"
    vendor_name, product_name = "QEMU", "micro:bit"
    supported_wire_protocols = (DebugProbe.Protocol.DEFAULT, DebugProbe.Protocol.SWD)
    capabilities = frozenset(
        {DebugProbe.Capability.MANAGED_AP_SELECTION, DebugProbe.Capability.MANAGED_DPBANKSEL}
    )

    def __init__(self, gdb: Path) -> None:
        super().__init__()
        self._path = gdb
        self._gdb: Gdb | None = None
        self._chip: Chip | None = None
        self._control = 0
        self._access = {0xFC: 0x04770021, 0xF8: _ROM | 3, 0xF4: 0, 0x00: 0x03000042}

    @property
    def wire_protocol(self) -> DebugProbe.Protocol | None:
        return DebugProbe.Protocol.SWD if self._gdb else None

    @property
    def is_open(self) -> bool:
        return self._gdb is not None

    def open(self) -> None:
        self._gdb = Gdb(self._path)
        self._chip = Chip(self._gdb)

    def close(self) -> None:
        if self._gdb is not None:
            self._gdb.close()
            self._gdb = None

    def connect(self, protocol: DebugProbe.Protocol | None = None) -> None:
        """There is no wire."""

    def disconnect(self) -> None:
        """There is no wire."""

    def set_clock(self, frequency: float) -> None:
        """There is no wire."""

    def read_dp(self, addr: int, now: bool = True) -> int | Callable[[], int]:
        value = {0: 0x0BB11477, 4: self._control | self._control << 1}.get(addr & 0xF, 0)
        return value if now else lambda: value

    def write_dp(self, addr: int, data: int) -> None:
        if addr & 0xF == 4:
            self._control = data & 0x50000000

    def read_ap(self, addr: int, now: bool = True) -> int | Callable[[], int]:
        value = self._access.get(addr & 0xFF, 0) if addr >> 24 == 0 else 0
        return value if now else lambda: value

    def write_ap(self, addr: int, data: int) -> None:
        if addr == 0:
            self._access[0] = data | 0x40

    def get_memory_interface_for_ap(self, ap_address: Any) -> MemoryInterface | None:
        return self._chip if ap_address.apsel == 0 else None
