# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pty
import socket
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecxr.bench.transport import SerialTransport, open_line
from edgecxr.core.ports import Port
from edgecxr.errors import DeviceError, UsageError


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """A raw pseudo-terminal: the board's end, and the port that the host opens."""
    board, port = pty.openpty()
    tty.setraw(port)
    yield board, os.ttyname(port)
    for handle in (board, port):
        os.close(handle)


def test_bytes_cross_a_serial_port_both_ways(terminal) -> None:
    board, name = terminal
    line = SerialTransport(name)
    line.write(b"name%", 1.0)
    assert os.read(board, 100) == b"name%"
    os.write(board, b"m-ready\r\n")
    assert line.read(1.0)
    line.close()


def test_a_read_of_nothing_ends_in_time(terminal) -> None:
    line = SerialTransport(terminal[1])
    begin = time.monotonic()
    assert line.read(0.05) == b""
    assert time.monotonic() - begin < 1
    line.close()


def test_a_port_that_takes_nothing_ends_in_time(terminal) -> None:
    line = SerialTransport(terminal[1])
    begin = time.monotonic()
    with pytest.raises(DeviceError, match="takes nothing any more"):
        line.write(bytes(10_000_000), 0.2)
    assert time.monotonic() - begin < 2
    line.close()


def test_a_port_that_is_in_use_is_named(terminal) -> None:
    name = terminal[1]
    line = SerialTransport(name)
    with pytest.raises(DeviceError, match=f"{name} is in use by another program"):
        SerialTransport(name)
    line.close()


def test_a_port_that_disappears_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        line = SerialTransport(url)
        board, _ = server.accept()
        board.close()
        with pytest.raises(DeviceError, match="has gone in the middle of the work") as raised:
            line.read(1.0)
    assert raised.value.exit_code == 3
    line.close()


def test_no_such_port_lists_what_is_attached(monkeypatch) -> None:
    nano = Port("/dev/ttyACM0", 0x2341, 0x805A)
    monkeypatch.setattr("edgecxr.core.ports.attached_ports", lambda: [nano])
    with pytest.raises(DeviceError, match="no port /dev/none; attached serial ports: /dev/ttyACM0"):
        SerialTransport("/dev/none")


def test_nothing_at_a_url_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(DeviceError, match=f"nothing listens at {url}"):
        SerialTransport(url)


def test_a_url_of_an_unknown_kind_is_a_wrong_command_line() -> None:
    with pytest.raises(UsageError, match="a URL that pyserial knows, found 'odd://x'"):
        SerialTransport("odd://x")


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A Unix socket's listener, and its name as a device."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "line"))
        server.listen(1)
        yield server, f"unix:{tmp_path / 'line'}"


def test_bytes_cross_a_unix_socket_both_ways(listening) -> None:
    server, name = listening
    line = open_line(name)
    board, _ = server.accept()
    line.write(b"name%", 1.0)
    assert board.recv(100) == b"name%"
    assert line.read(0.0) == b""
    board.sendall(b"m-ready\r\n")
    assert line.read(1.0) == b"m-ready\r\n"
    board.close()
    with pytest.raises(DeviceError, match="has gone in the middle of the work"):
        line.read(1.0)
    line.close()


def test_a_unix_socket_that_takes_nothing_ends_in_time(listening) -> None:
    server, name = listening
    line = open_line(name)
    board, _ = server.accept()
    with pytest.raises(DeviceError, match="takes nothing any more"):
        line.write(bytes(10_000_000), 0.05)
    board.close()
    line.close()


def test_nothing_at_a_unix_socket_says_so(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=f"nothing listens at unix:{tmp_path}/none") as raised:
        open_line(f"unix:{tmp_path}/none")
    assert raised.value.exit_code == 3
