# SPDX-License-Identifier: Apache-2.0
"""A machine that is reached over SSH, with the system's OpenSSH client.

So the user's keys, agent and ``~/.ssh/config`` count. One connection carries everything
(ControlMaster): its first session runs :mod:`edgecxr.bench.keeper`, which removes what was copied
when the connection ends, however it ends.
"""

from __future__ import annotations

import io
import json
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import edgecxr
from edgecxr.bench import keeper
from edgecxr.core.firmware import FIRMWARE
from edgecxr.errors import (
    DeviceError,
    EdgecxrError,
    MissingPackageError,
    OutputError,
    UsageError,
    VerificationError,
)

OLDEST = (3, 11)
_PYTHONS = ("python3.13", "python3.12", "python3.11", "python3")
_MARK = "--edgecxr--"
"""Printed before all else: a login shell's own greetings come before it."""
_LIBRARIES = ("numpy", "pydantic")
_INTERPRETERS = ("ai_edge_litert", "tflite_runtime", "tensorflow")
_NO_ROOM = ("No space left on device", "Disk quota exceeded")
_SENT = ("*.py", "*.toml", "*.c", "*.h", "*.S", "*.json")


class Connection:
    """An open connection with a folder of its own on the other machine.

    Attributes:
        host: as ssh takes it.
        python: the command of its Python.
        folder: there, absolute; it is removed when the connection ends.
    """

    def __init__(self, host: str, python: str | None, timeout_s: float) -> None:
        """Connect.

        Args:
            host: ``[user@]name``, an alias of ``~/.ssh/config``, or an ``ssh://`` address.
            python: the command there; None looks for one.

        Raises:
            UsageError: if the name cannot be a host's.
            MissingPackageError: if there is no ssh here, or no Python or interpreter there.
            DeviceError: if the machine cannot be reached or does not let the user in.
            VerificationError: if its key is unknown or another than before.
            OutputError: if nothing can be written there.
        """
        if not host or host.startswith("-") or any(c.isspace() for c in host):
            raise UsageError(f"expected a host such as pi@raspberrypi.local, found {host!r}")
        ssh = shutil.which("ssh")
        if ssh is None:
            raise MissingPackageError(
                "--ssh needs the OpenSSH client, and there is no ssh here; install it "
                "(on Debian and Ubuntu: apt-get install openssh-client)"
            )
        self.host = host
        self._ssh = ssh
        # Short, since a socket's path may have about 100 characters.
        self._own = tempfile.TemporaryDirectory(prefix="ecx-")
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  (close() ends it)
        patience = max(1, round(timeout_s))
        options = [
            f"-oConnectTimeout={patience}",
            "-oServerAliveInterval=10",
            "-oControlPersist=no",
        ]
        try:
            self._keeper = subprocess.Popen(
                [*self._base(), "-M", *options, "--", host, _keeper_command(python)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                bufsize=0,
            )
        except OSError as error:
            self._own.cleanup()
            raise MissingPackageError(f"{ssh} could not be started: {error.strerror}") from error
        try:
            self.python, self.folder = self._greet(python)
            self._send_package()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; the other end removes its folder, and this waits for that."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        try:
            self._keeper.wait(10)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
        finally:
            self._complaints.close()
            self._own.cleanup()

    @property
    def alive(self) -> bool:
        return self._keeper.poll() is None

    def put(self, files: Mapping[str, Path | bytes]) -> None:
        """Copy files into the folder there, by their names in it.

        Raises:
            OutputError: if there is no room.
            DeviceError: if the connection is lost.
        """
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
            for name, content in files.items():
                data = content if isinstance(content, bytes) else content.read_bytes()
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        self._ask(f"tar -xzf - -C {shlex.quote(self.folder)}", packed.getvalue(), "copying to it")

    def get(self, name: str) -> bytes:
        """A file's content from the folder there."""
        path = shlex.quote(f"{self.folder}/{name}")
        return self._ask(f"cat {path}", b"", f"fetching {name}")

    def module(self, name: str, *arguments: str) -> str:
        """The command line that runs a module of this package there."""
        words = [self.python, "-P", "-m", name, *arguments]
        path = shlex.quote(f"{self.folder}/package")
        return f"PYTHONPATH={path} exec {shlex.join(words)}"

    def ask_module(self, name: str) -> str:
        """Run a module there, and give what it prints."""
        return self._ask(self.module(name), b"", f"running {name}").decode(errors="replace")

    def start(self, command: str, complaints: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a command there; its output comes back through a pipe, after the mark."""
        return subprocess.Popen(
            [*self._through(), _shell(command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            bufsize=0,
        )

    def lost(self, doing: str) -> DeviceError:
        return DeviceError(
            f"the connection to {self.host} was lost while {doing}; see that it is switched on "
            "and in the network, then run again (what was copied there is removed then)"
        )

    def _base(self) -> list[str]:
        return [self._ssh, "-S", str(Path(self._own.name) / "s"), "-T"]

    def _through(self) -> list[str]:
        """Over the connection that is open. Were it gone, ssh would open another: forbidden."""
        return [*self._base(), "-oControlMaster=no", "-oProxyCommand=false", "--", self.host]

    def _ask(self, command: str, data: bytes, doing: str) -> bytes:
        done = subprocess.run(
            [*self._through(), _shell(command)], input=data, capture_output=True, check=False
        )
        said = done.stderr.decode(errors="replace")
        if done.returncode == 0:
            return done.stdout.partition(f"{_MARK}\n".encode())[2]
        if any(text in said for text in _NO_ROOM):
            raise OutputError(
                f"the disk of {self.host} is full: {self.folder} could not be written; "
                "free some space there, then run again"
            )
        if not self.alive or done.returncode == 255:
            raise self.lost(doing)
        raise DeviceError(f"{self.host} failed at {doing}: {_last_line(said)}")

    def _greet(self, python: str | None) -> tuple[str, str]:
        assert self._keeper.stdout is not None
        answer: dict[str, Any] | None = None
        if read_to_mark(self._keeper.stdout):
            answer = json.loads(self._keeper.stdout.readline() or b"null")
        if answer is None:
            self._keeper.wait()
            self._complaints.seek(0)
            raise _refused(self.host, python, self._complaints.read().decode(errors="replace"))
        _check_python(self.host, answer)
        if "error" in answer:
            raise OutputError(f"{self.host} could not write {answer['error']}; free some space")
        return str(answer["python"]), str(answer["folder"])

    def _send_package(self) -> None:
        """This package and the compiled runtime's sources, so that both ends run the same code."""
        home = Path(edgecxr.__file__).parent
        trees = {"package/edgecxr": home, "package/edgecxr/firmware/src": FIRMWARE / "src"}
        self.put(
            {
                f"{place}/{path.relative_to(tree)}": path
                for place, tree in trees.items()
                for pattern in _SENT
                for path in tree.rglob(pattern)
            }
        )


def read_to_mark(stream: IO[bytes]) -> bool:
    """Skip what a login shell prints. False if the stream ended before the mark."""
    while line := stream.readline():
        if line.strip() == _MARK.encode():
            return True
    return False


def _shell(command: str) -> str:
    """For the user's login shell, whichever it is."""
    return f"exec sh -c {shlex.quote(f'echo {_MARK}; {command}')}"


def _keeper_command(python: str | None) -> str:
    """Run the keeper with the Python that is named, or with the first that is new enough."""
    text = shlex.quote(Path(keeper.__file__).read_text(encoding="utf-8"))
    arguments = shlex.join([_MARK, *_LIBRARIES, *_INTERPRETERS])
    check = shlex.quote(f"import sys; sys.exit(sys.version_info < {OLDEST})")
    candidates = shlex.join(_PYTHONS if python is None else [python])
    test = f'"$p" -c {check} 2>/dev/null' if python is None else 'command -v "$p" >/dev/null'
    script = (
        f'for p in {candidates}; do if {test}; then exec "$p" -c {text} "$p" {arguments}; fi; '
        "done; echo no-python: $(python3 --version 2>&1) >&2; exit 9"
    )
    return f"exec sh -c {shlex.quote(script)}"


def _check_python(host: str, answer: Mapping[str, Any]) -> None:
    python, version = answer["python"], ".".join(map(str, answer["version"]))
    if tuple(answer["version"]) < OLDEST:
        raise MissingPackageError(
            f"expected Python 3.11 or newer on {host}, found {version} as {python}; "
            "name another with --ssh-python"
        )
    found = answer["modules"]
    wanted = [name for name in _LIBRARIES if name not in found]
    if not set(found) & set(_INTERPRETERS):
        wanted = [*_packages(answer["machine"]), *(name for name in wanted if name != "numpy")]
    if wanted:
        names = " ".join(f'"{name}"' if set(name) & set("<=") else name for name in wanted)
        raise MissingPackageError(
            f"{python} on {host} (Python {version}, {answer['machine']}) lacks what runs a model; "
            f"install it there with: {python} -m pip install {names}, or name another Python with "
            "--ssh-python"
        )


def _packages(machine: str) -> list[str]:
    """An interpreter for a machine; ai-edge-litert has no wheels for 32-bit Arm."""
    if machine in ("armv6l", "armv7l"):
        return ["tflite-runtime==2.14.0", "numpy<2"]
    return ["ai-edge-litert"]


def _refused(host: str, python: str | None, said: str) -> EdgecxrError:
    """Why there was no connection, by what ssh said."""
    last = _last_line(said)
    if "no-python:" in said and python is None:
        found = said.split("no-python:")[1].strip().splitlines()[0]
        return MissingPackageError(
            f"expected Python 3.11 or newer on {host}, found {found or 'none'}; install one, or "
            "name it with --ssh-python"
        )
    if "no-python:" in said:
        return MissingPackageError(
            f"expected a Python at {python} on {host}, found none; give its path there "
            "(a relative one starts in the home folder)"
        )
    if "IDENTIFICATION HAS CHANGED" in said:
        return VerificationError(
            f"the key of {host} is not the one that ssh knows; if it was installed anew, remove "
            f"the old key with: ssh-keygen -R {host.rpartition('@')[2]}"
        )
    if "Host key verification failed" in said:
        return VerificationError(
            f"ssh does not know the key of {host} yet; connect once by hand with: ssh {host}, "
            "and accept the key if it is the right one"
        )
    if "Permission denied" in said:
        return DeviceError(
            f"{host} does not let you in ({last}); see that `ssh {host}` works, for instance "
            f"after: ssh-copy-id {host}"
        )
    return DeviceError(
        f"{host} cannot be reached: ssh says {last!r}; see that it is switched on, in the network, "
        "and lets you in over SSH"
    )


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"
