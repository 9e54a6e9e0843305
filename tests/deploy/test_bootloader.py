# SPDX-License-Identifier: Apache-2.0
"""The Nano 33's port dance, over real pseudo-terminals and a clock that only its waits move."""

from __future__ import annotations

import errno
import termios
from collections.abc import Iterator
from dataclasses import replace

import pytest
import serial
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecxr.core.board import find_board
from edgecxr.core.ports import Port
from edgecxr.deploy.bootloader import (
    BOOTLOADER_S,
    RESTART_S,
    RETURN_S,
    SETTLE_S,
    Computer,
    await_application,
    enter_bootloader,
    touch,
)
from edgecxr.errors import DeviceError
from tests.deploy.simulated import IN_BOOTLOADER, NANO, Plan, Simulated, Terminal, terminals

BOARD = find_board("nano33")
OTHER = Port("/dev/other", 0x2341, 0x805A, "B2", "1-2")
OTHER_BOOTLOADER = replace(OTHER, pid=0x005A)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with terminals(1) as (made,):
        yield made


@pytest.fixture
def nano(terminal: Terminal) -> Port:
    return replace(NANO, device=terminal.name)


def simulated(nano: Port, *steps: tuple[float, Port | None], **others: Port | None) -> Simulated:
    plan = {nano.device: ("nano", Plan(steps))}
    return Simulated({"nano": nano, **others}, plan)


def test_a_touch_is_1200_baud_with_dtr_low_and_leaves_the_port_closed(
    terminal: Terminal, monkeypatch
) -> None:
    levels: list[bool] = []
    real = serial.Serial._update_dtr_state

    def recorded(self: serial.Serial) -> None:
        levels.append(self._dtr_state)
        real(self)

    monkeypatch.setattr(serial.Serial, "_update_dtr_state", recorded)
    touch(terminal.name)
    assert terminal.baud == termios.B1200
    assert levels == [False]
    assert not terminal.is_open()


def test_a_port_without_permission_says_what_to_do(terminal: Terminal, monkeypatch) -> None:
    def denied(_self: serial.Serial) -> None:
        raise serial.SerialException(errno.EACCES, "could not open port: Permission denied")

    monkeypatch.setattr(serial.Serial, "open", denied)
    with pytest.raises(DeviceError, match=r"no permission .*dialout .*udev rule") as raised:
        touch(terminal.name)
    assert raised.value.exit_code == 3


def test_the_bootloader_comes_as_a_new_port(nano: Port) -> None:
    new = replace(IN_BOOTLOADER, device="/dev/ttyACM1")
    bench = simulated(nano, (0.3, None), (1.2, new))
    assert enter_bootloader(BOARD, nano, bench.computer()) == new
    assert bench.touched == [nano.device]
    first_look_after = bench.looked[1]
    assert first_look_after >= RESTART_S
    assert 1.2 + SETTLE_S <= bench.seconds < 1.2 + SETTLE_S + 0.5


def test_the_bootloader_may_keep_the_ports_name(nano: Port) -> None:
    new = replace(IN_BOOTLOADER, device=nano.device)
    bench = simulated(nano, (0.3, new))
    assert enter_bootloader(BOARD, nano, bench.computer()) == new


def test_a_board_in_its_bootloader_is_not_touched() -> None:
    already = replace(IN_BOOTLOADER, device="/dev/ttyACM0")
    bench = Simulated({"nano": already})
    assert enter_bootloader(BOARD, already, bench.computer()) == already
    assert (bench.touched, bench.seconds) == ([], 0.0)


def test_of_two_boards_the_touched_one_is_meant(nano: Port) -> None:
    new = replace(IN_BOOTLOADER, device="/dev/ttyACM2")
    bench = simulated(nano, (0.3, None), (3.0, new), other=OTHER, third=OTHER_BOOTLOADER)
    # At the same time somebody double-taps the other board: a new bootloader, and not ours.
    bench.events.append((1.0, "other", replace(OTHER_BOOTLOADER, device="/dev/ttyACM9")))
    assert enter_bootloader(BOARD, nano, bench.computer()) == new


def test_a_bootloader_with_another_serial_number_is_known_by_its_socket(nano: Port) -> None:
    new = replace(IN_BOOTLOADER, device="/dev/ttyACM2", serial_number="F00")
    bench = simulated(nano, (0.3, None), (1.0, new), other=OTHER)
    bench.events.append((0.9, "other", OTHER_BOOTLOADER))
    assert enter_bootloader(BOARD, nano, bench.computer()) == new


def test_a_system_without_sockets_takes_the_only_new_bootloader(nano: Port) -> None:
    nano = replace(nano, location=None)
    new = replace(IN_BOOTLOADER, device="COM7", serial_number="F00", location=None)
    bench = simulated(nano, (0.3, new))
    assert enter_bootloader(BOARD, nano, bench.computer()) == new


def test_two_new_bootloaders_that_cannot_be_told_apart_are_listed(nano: Port) -> None:
    nano = replace(nano, location=None)
    new = replace(IN_BOOTLOADER, device="COM7", serial_number="F00", location=None)
    bench = simulated(nano, (0.3, new))
    bench.events.append((0.3, "other", replace(new, device="COM8", serial_number="F01")))
    with pytest.raises(DeviceError, match=r"found 2 new ports: COM7 .*COM8") as raised:
        enter_bootloader(BOARD, nano, bench.computer())
    assert raised.value.exit_code == 3


def test_a_port_that_comes_and_goes_is_not_taken_before_it_stays(nano: Port) -> None:
    glimpse = replace(IN_BOOTLOADER, device="/dev/ttyACM1")
    new = replace(IN_BOOTLOADER, device="/dev/ttyACM2")
    bench = simulated(nano, (0.3, None), (0.8, glimpse), (1.4, None), (4.0, new))
    assert enter_bootloader(BOARD, nano, bench.computer()) == new
    assert bench.seconds >= 4.0 + SETTLE_S


@pytest.mark.parametrize("steps", [(), ((0.3, None),), ((0.3, None), (2.0, NANO))])
def test_a_bootloader_that_never_comes_asks_for_a_double_tap(nano: Port, steps) -> None:
    bench = simulated(nano, *steps)
    with pytest.raises(DeviceError, match=r"within 10 s .*RESET button twice") as raised:
        enter_bootloader(BOARD, nano, bench.computer())
    assert raised.value.exit_code == 3
    assert BOOTLOADER_S <= bench.seconds - RESTART_S < BOOTLOADER_S + 0.3


def test_the_application_comes_back_under_another_name() -> None:
    before = replace(NANO, device="/dev/ttyACM0")
    new = replace(NANO, device="/dev/ttyACM3")
    bench = Simulated({"nano": replace(IN_BOOTLOADER, device="/dev/ttyACM1"), "other": OTHER})
    bench.events = [(0.2, "nano", None), (3.0, "nano", new)]
    assert await_application(BOARD, before, {OTHER}, bench.computer()) == new


def test_another_boards_application_is_not_taken_for_it() -> None:
    before = replace(NANO, device="/dev/ttyACM0")
    bench = Simulated({"nano": None, "other": None})
    bench.events = [(1.0, "other", OTHER)]  # plugged in just now
    with pytest.raises(DeviceError, match=r"did not come back within 5 s; .*/dev/other .*RESET"):
        await_application(BOARD, before, set(), bench.computer())
    assert bench.seconds >= RETURN_S


PLACES = ("1-2", "1-3", "2-1.4")


@st.composite
def other_events(draw) -> list[tuple[float, str, Port | None]]:
    """Other Nanos that appear, restart and vanish, in sockets that are not ours."""
    place = draw(st.sampled_from(PLACES))
    ports = st.none() | st.sampled_from([0x005A, 0x805A]).map(
        lambda pid: Port(f"/dev/tty{place}", 0x2341, pid, f"S{place}", place)
    )
    times = st.floats(0, 12)
    return [(draw(times), place, draw(ports)) for _ in range(draw(st.integers(0, 6)))]


@settings(max_examples=50)
@given(events=st.lists(other_events(), max_size=3), comes=st.floats(0.3, 9.0))
def test_whatever_other_boards_do_ours_is_found(events, comes: float) -> None:
    ours = replace(NANO, device="/dev/ours")
    new = replace(IN_BOOTLOADER, device="/dev/ours-in-bootloader")
    bench = Simulated({"nano": ours})
    bench.events = [(0.2, "nano", None), (comes, "nano", new)]
    bench.events += [event for board in events for event in board]
    computer = Computer(bench.ports, lambda _: None, lambda: bench.seconds, bench.sleep)
    assert enter_bootloader(BOARD, ours, computer) == new
