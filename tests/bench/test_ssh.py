# SPDX-License-Identifier: Apache-2.0
"""A real sshd on loopback stands for the Raspberry Pi; it is this machine under another name."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgecxr.bench import ssh
from edgecxr.bench.over_ssh import mismatch
from edgecxr.bench.ssh import Connection
from edgecxr.cli.main import run
from edgecxr.core.process import module_command, module_environment
from edgecxr.core.result import BenchResult, BenchRow, InterpreterInfo
from edgecxr.errors import (
    DeviceError,
    EdgecxrError,
    MissingPackageError,
    OutputError,
    VerificationError,
)
from tests import sshd

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        not Path(sshd.SSHD).exists() or shutil.which("ssh") is None,
        reason="needs OpenSSH's server and client; `make tools` installs them",
    ),
]
QUICK = ["--runtime", "litert-reference", "--precision", "int8", "--runs", "2", "--warmup", "0"]
FULL_DISK = 'mkdir -p {0} && mount -t tmpfs -o size=64k none {0} && exec "$@"'
PATIENCE_S = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[sshd.Server]:
    server = sshd.start(tmp_path_factory.mktemp("sshd"))
    yield server
    server.end()


@pytest.fixture(autouse=True)
def knows_the_server(server, monkeypatch) -> Iterator[None]:
    monkeypatch.setenv("PATH", str(server.bin), prepend=os.pathsep)
    yield
    server.known_hosts()
    shutil.copyfile(server.folder / "user.pub", server.folder / "authorized")


def until(met: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.02)


def over_ssh(bundle: Path, *more: str, python: str = sys.executable) -> list[str]:
    return ["bench", str(bundle), "--ssh", sshd.HOST, "--ssh-python", python, *QUICK, *more]


def test_the_other_machine_gives_this_hosts_bits(server, tiny_bundle, capsys) -> None:
    assert run(over_ssh(tiny_bundle, "--json")) == 0
    out, err = capsys.readouterr()
    result = BenchResult.model_validate_json(out)
    row = result.rows[0]
    assert [(each.device, each.runtime) for each in result.rows] == [("ssh:pi", "litert-reference")]
    assert (row.bit_exact_with_host, row.max_score_difference, row.images) == (1, 0, 8)
    assert row.latency_ms is not None
    assert result.machines["ssh:pi"].cpu == result.host.cpu
    assert result.machines["ssh:pi"].after is not None
    assert f"in {server.cache}/edgecxr/ssh/run-" in err
    assert server.runs == []


def test_host_and_machine_share_a_table(tiny_bundle, capsys) -> None:
    assert run(over_ssh(tiny_bundle, "--device", "host")) == 0
    lines = capsys.readouterr().out.splitlines()
    devices = [line.split()[:2] for line in lines if " int8 " in line]
    assert devices == [["host", "litert-reference"], ["ssh:pi", "litert-reference"]]
    assert any(line.strip().startswith("ssh:pi: ") for line in lines)


def test_other_scores_there_are_exit_code_5(tiny_bundle, tmp_path, capsys) -> None:
    """A machine whose kernels are wrong: each class gets another one's score."""
    spoil = (
        "import numpy, pathlib, sys\n"
        "for path in pathlib.Path(sys.argv[1]).parent.glob('*s*.npy'):\n"
        "    numpy.save(path, numpy.load(path)[:, ::-1])\n"
        "raw = pathlib.Path(sys.argv[1]).parent / 'raw.npy'\n"
        "numpy.save(raw, numpy.load(raw)[:, ::-1])\n"
    )
    real = shlex.quote(sys.executable)
    python = program(
        tmp_path,
        f'{real} "$@" || exit\n'
        f'case "$*" in *bench.worker*) for last; do :; done; '
        f'{real} -c {shlex.quote(spoil)} "$last";; esac',
    )
    assert run(over_ssh(tiny_bundle, python=python)) == 5
    out, err = capsys.readouterr()
    assert "ssh:pi" in out
    assert "expected litert-reference int8 on ssh:pi to give the scores of litert-reference" in err


def test_a_runtime_that_is_missing_there_is_told(tiny_bundle, capsys) -> None:
    assert run(over_ssh(tiny_bundle, "--runtime", "tflite-runtime")) == 1
    assert "tflite-runtime is not available on ssh:pi" in capsys.readouterr().err


def program(folder: Path, script: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def refusal(python: str | None = sys.executable, host: str = sshd.HOST) -> EdgecxrError:
    with pytest.raises(EdgecxrError) as caught, Connection(host, python, 10):
        pass
    return caught.value


def test_no_client_here(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    error = refusal()
    assert isinstance(error, MissingPackageError)
    assert "apt-get install openssh-client" in str(error)


def test_nobody_listens() -> None:
    error = refusal(host="ssh://127.0.0.1:1")
    assert isinstance(error, DeviceError)
    assert "cannot be reached: ssh says" in str(error)
    assert "Connection refused" in str(error)


def test_an_unknown_key(server) -> None:
    server.known_hosts("")
    error = refusal()
    assert isinstance(error, VerificationError)
    assert "connect once by hand with: ssh pi" in str(error)


def test_another_key_than_before(server) -> None:
    server.known_hosts("[127.0.0.1]:{port} " + (server.folder / "user.pub").read_text())
    error = refusal()
    assert isinstance(error, VerificationError)
    assert "ssh-keygen -R pi" in str(error)


def test_a_user_who_is_not_let_in(server) -> None:
    (server.folder / "authorized").write_text("")
    error = refusal()
    assert isinstance(error, DeviceError)
    assert "ssh-copy-id pi" in str(error)


def test_no_such_python() -> None:
    error = refusal("/no/such/python")
    assert isinstance(error, MissingPackageError)
    assert "expected a Python at /no/such/python on pi, found none" in str(error)


def test_a_python_that_is_too_old(tmp_path) -> None:
    old = "import sys; sys.version_info = (3, 9, 2); exec(sys.argv.pop(1))"
    python = program(
        tmp_path, f'shift\nexec {shlex.quote(sys.executable)} -c {shlex.quote(old)} "$@"'
    )
    error = refusal(python)
    assert isinstance(error, MissingPackageError)
    assert f"expected Python 3.11 or newer on pi, found 3.9 as {python}" in str(error)


def test_a_python_without_packages(server, tmp_path) -> None:
    python = program(tmp_path, f'exec {shlex.quote(sys.executable)} -I -S "$@"')
    error = refusal(python)
    assert isinstance(error, MissingPackageError)
    assert f"install it there with: {python} -m pip install ai-edge-litert pydantic" in str(error)
    until(lambda: server.runs == [], "the removal of the folder")


def test_no_python_on_the_path(tmp_path) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    done = subprocess.run(
        ["/bin/sh", "-c", ssh._keeper_command(None)],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 9
    error = ssh._refused("pi", None, done.stderr)
    assert "expected Python 3.11 or newer on pi" in str(error)


def test_an_old_arm_gets_the_old_interpreter() -> None:
    answer = {"python": "python3", "version": [3, 11], "machine": "armv7l", "modules": []}
    with pytest.raises(MissingPackageError, match=r'"tflite-runtime==2.14.0" "numpy<2" pydantic'):
        ssh._check_python("pi", answer)


def test_a_full_disk(tmp_path) -> None:
    """A server in a mount namespace of its own, where the cache has room for 64 KiB."""
    script = FULL_DISK.format(shlex.quote(str(tmp_path / "full" / "cache")))
    within = ["unshare", "-m", "sh", "-c", script, "sh"]
    (tmp_path / "full" / "cache").mkdir(parents=True)
    if subprocess.run([*within, "true"], capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount")
    server = sshd.start(tmp_path / "full", within=within)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", str(server.bin), prepend=os.pathsep)
            error = refusal()
    finally:
        server.end()
    assert isinstance(error, OutputError)
    assert "the disk of pi is full" in str(error)


@pytest.fixture
def working(tiny_bundle, server) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A bench that will not end soon, and its worker over there, which runs."""
    client = subprocess.Popen(
        [*module_command("edgecxr", *over_ssh(tiny_bundle, "--runs", "100000000"))],
        env=module_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(lambda: client.poll() is not None or workers(server), "the worker's start")
    yield client, workers(server)[0]
    client.kill()
    client.communicate()


def processes() -> Iterator[tuple[int, bytes]]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield int(path.parent.name), path.read_bytes()
        except OSError:
            continue


def workers(server: sshd.Server) -> list[int]:
    mark = str(server.cache).encode()
    return [pid for pid, line in processes() if b"bench.worker" in line and mark in line]


def cut(server: sshd.Server) -> None:
    """As when the machine loses its power: no keeper, and no session."""
    for pid, line in processes():
        if b"Keeps a folder on another machine" in line and parent(pid) in sessions(server):
            os.kill(pid, signal.SIGKILL)
    for pid in sessions(server):
        os.kill(pid, signal.SIGKILL)


def sessions(server: sshd.Server) -> set[int]:
    return {pid for pid, _ in processes() if parent(pid) == server.process.pid}


def parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@linux_only
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_an_interrupted_run(how, server, working) -> None:
    client, _ = working
    assert len(server.runs) == 1
    if how == signal.SIGINT:
        os.killpg(client.pid, how)  # as the terminal does
    else:
        client.kill()
    _, err = client.communicate(timeout=PATIENCE_S)
    if how == signal.SIGINT:
        assert (client.returncode, err.splitlines()[-1]) == (130, "edgecxr: interrupted")
    until(lambda: server.runs == [], "the removal of the folder")
    until(lambda: not workers(server), "the end of the worker")


@linux_only
def test_a_worker_that_is_killed_there_is_a_row_with_an_error(server, working) -> None:
    client, worker = working
    os.kill(worker, signal.SIGKILL)
    out, err = client.communicate(timeout=PATIENCE_S)
    assert client.returncode == 1
    assert "ssh:pi" in out
    assert "litert-reference could not run" in err
    assert server.runs == []


@linux_only
def test_a_lost_connection_is_told_and_the_next_run_cleans_up(server, working, tiny_bundle) -> None:
    client, _ = working
    cut(server)
    _, err = client.communicate(timeout=PATIENCE_S)
    assert client.returncode == 3
    assert "the connection to pi was lost while" in err
    assert len(server.runs) == 1
    until(lambda: not workers(server), "the end of the worker")
    assert run(over_ssh(tiny_bundle)) == 0
    assert server.runs == []


def test_only_reference_kernels_are_held_to_bits() -> None:
    ran = InterpreterInfo(name="ai-edge-litert", version="0.0", kernels="reference")
    row = BenchRow(
        device="ssh:pi",
        runtime="litert-reference",
        precision="int8",
        bit_exact_with_host=0.5,
        max_score_difference=1 / 256,
        interpreter=ran,
        model_bytes=1,
        model_sha256="0",
    )
    assert mismatch(row) is None, "another version may round the last layer otherwise"
    apart = row.model_copy(update={"max_score_difference": 3 / 256})
    assert "50.0 % of the images" in (mismatch(apart) or "")
    fast = ran.model_copy(update={"kernels": "optimized"})
    assert mismatch(apart.model_copy(update={"interpreter": fast})) is None
    real = row.model_copy(update={"precision": "float32", "max_score_difference": 1e-4})
    assert mismatch(real) is not None
