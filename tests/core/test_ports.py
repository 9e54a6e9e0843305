# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno

import pytest
import serial

from edgecxr.core.board import find_board
from edgecxr.core.ports import Port, attached_ports, listed, only_port, usb_id, why_not_open
from edgecxr.errors import DeviceError

NANO = Port("/dev/ttyACM0", 0x2341, 0x805A, "A1", "1-1", "Nano 33 BLE")
PICO = Port("/dev/ttyACM1", 0x2E8A, 0x000A)
ST_LINK = Port("/dev/ttyACM2", 0x0483, 0x374B)


class Found:
    """What pyserial says of a port."""

    def __init__(self, device: str, vid: int | None, location: str | None = None) -> None:
        self.device, self.vid, self.pid = device, vid, 0x805A if vid else None
        self.serial_number, self.location, self.description = "", location, "its words"


def test_only_ports_with_a_usb_device_count(monkeypatch) -> None:
    found = [Found("/dev/ttyACM9", 0x2341, "1-1.4:1.0"), Found("/dev/ttyS0", None)]
    found.append(Found("/dev/ttyACM1", 0x1234))
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: found)
    unknown, nano = attached_ports()
    assert (unknown.words, unknown.location, unknown.serial_number) == ("its words", None, None)
    assert (nano.words, nano.location) == ("Arduino Nano 33 BLE Sense", "1-1.4")


def test_a_port_says_all_that_tells_it_apart() -> None:
    assert str(NANO) == ("/dev/ttyACM0 (Arduino Nano 33 BLE Sense, 2341:805a, serial number A1)")
    assert ST_LINK.words == "ST NUCLEO-L4R5ZI or ST STM32F746G-DISCO"
    assert listed([]) == "none"


def test_a_boards_usb_id_is_found() -> None:
    found = usb_id(find_board("nano33"), NANO)
    assert found is not None
    assert found.role == "application"
    assert usb_id(find_board("pico"), NANO) is None


def test_the_only_port_is_taken() -> None:
    assert only_port([NANO]) == "/dev/ttyACM0"


@pytest.mark.parametrize(
    ("ports", "said"), [([], "found none; plug it in"), ([NANO, PICO], r"2: .*ACM0 .*ACM1 .*Pico")]
)
def test_not_exactly_one_board_is_an_error(ports, said: str) -> None:
    with pytest.raises(DeviceError, match=said) as raised:
        only_port(ports)
    assert raised.value.exit_code == 3


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "usermod -aG dialout.* udev rule"),
        (errno.EBUSY, "in use by another program"),
        (errno.ENOENT, "attached serial ports: /dev/ttyACM0"),
        (errno.EIO, "could not be opened as a serial port"),
    ],
)
def test_a_port_that_does_not_open_says_why(number: int, said: str, monkeypatch) -> None:
    monkeypatch.setattr("edgecxr.core.ports.attached_ports", lambda: [NANO])
    error = serial.SerialException(number, "could not open port")
    with pytest.raises(DeviceError, match=said):
        raise DeviceError(why_not_open("/dev/ttyACM7", error))
