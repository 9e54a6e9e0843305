# SPDX-License-Identifier: Apache-2.0
"""``edgecxr flash`` with the real pyOCD, onto QEMU's micro:bit, from the command line."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgecxr.cli.main import run
from edgecxr.core.bundle import Bundle
from edgecxr.deploy import flash_pyocd
from tests.bundles import write_bundle

MISSING = [tool for tool in ("arm-none-eabi-gcc", "qemu-system-arm") if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"needs {' and '.join(MISSING)}")


@dataclass
class Microbit:
    """An emulated micro:bit with an empty flash."""

    process: subprocess.Popen[bytes]
    port: str


@pytest.fixture
def bundle(tiny_models: Path, tmp_path: Path) -> Bundle:
    return write_bundle(tmp_path / "tiny", tiny_models)


@pytest.fixture
def microbit(tmp_path: Path, monkeypatch) -> Iterator[Microbit]:
    pytest.importorskip("pyocd")
    from tests.deploy.qemu_probe import QemuProbe

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        handle = server.fileno()
        command = ["qemu-system-arm", "-M", "microbit", "-display", "none", "-monitor", "none"]
        # -S: nothing runs before it was written. The line opens when the host asks the board.
        command += ["-S", "-gdb", f"unix:{tmp_path}/gdb,server=on,wait=off"]
        command += ["-chardev", f"socket,id=line,fd={handle},server=on,wait=off,nodelay=on"]
        command += ["-serial", "chardev:line"]
        with subprocess.Popen(command, pass_fds=(handle,)) as process:
            probe = QemuProbe(tmp_path / "gdb")
            monkeypatch.setattr(flash_pyocd, "_probes", lambda: [probe])
            yield Microbit(process, f"socket://127.0.0.1:{server.getsockname()[1]}")
            process.kill()


def flash(bundle: Bundle, microbit: Microbit, capsys) -> tuple[int, dict[str, Any]]:
    asked = ["flash", "--board", "microbit", "--model", str(bundle.folder), "--json"]
    code = run([*asked, "--port", microbit.port])
    return code, json.loads(capsys.readouterr().out)


def test_pyocd_writes_a_chip_that_then_says_the_models_hash(bundle, microbit, capsys) -> None:
    code, report = flash(bundle, microbit, capsys)
    assert code == 0, report
    assert report["verified"] is True
    assert report["probe"] == "9900000000000001"
    assert report["info"]["board"] == "microbit"
    assert report["info"]["sha256"] == bundle.manifest.files["int8"].sha256
    assert report["info"]["flash_bytes"] == report["flash_bytes"]


def test_a_chip_that_is_gone_is_exit_4(bundle, microbit, capsys) -> None:
    microbit.process.kill()
    microbit.process.wait()
    code, report = flash(bundle, microbit, capsys)
    assert code == 4
    assert "pyOCD could not write BBC micro:bit v1 over QEMU micro:bit: " in report["error"]
