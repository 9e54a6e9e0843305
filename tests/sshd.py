# SPDX-License-Identifier: Apache-2.0
"""A real OpenSSH server of a test's own: loopback, a free port, keys and logs in its folder."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
_PRIVILEGE_FOLDER = Path("/run/sshd")
_START_S = 20
HOST = "pi"


@dataclass(frozen=True)
class Server:
    """A server that runs; ``bin`` holds an ``ssh`` that knows it as the host "pi"."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def cache(self) -> Path:
        """The cache folder of those who log in."""
        return self.folder / "cache"

    @property
    def runs(self) -> list[Path]:
        return sorted((self.cache / "edgecxr" / "ssh").glob("*"))

    def known_hosts(self, text: str | None = None) -> None:
        """Let the client know the server's key, or whatever ``text`` says instead."""
        port = (self.folder / "port").read_text()
        key = (self.folder / "host.pub").read_text()
        (self.folder / "known_hosts").write_text(
            f"[127.0.0.1]:{port} {key}" if text is None else text.format(port=port)
        )

    def end(self) -> None:
        """The server; its sessions end with their clients."""
        self.process.kill()
        self.process.wait()


def start(folder: Path, *, within: Sequence[str] = ()) -> Server:
    """Start a server for the present user.

    Args:
        within: a command that runs the server, given the server's own command line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("host", "user"):
        key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(key, check=True)
    shutil.copyfile(folder / "user.pub", folder / "authorized")
    if os.geteuid() == 0:  # an unprivileged server needs none
        _PRIVILEGE_FOLDER.mkdir(mode=0o755, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "port").write_text(str(port))
    settings = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder}/host",
        f"AuthorizedKeysFile {folder}/authorized",
        "PidFile none",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "PrintMotd no",
        # Login shells greet on stdout, which spoils what comes after for many programs.
        'ForceCommand echo "Welcome to the Pi"; eval "$SSH_ORIGINAL_COMMAND"',
        f"SetEnv XDG_CACHE_HOME={folder}/cache",
    ]
    (folder / "sshd_config").write_text("\n".join(settings) + "\n")
    _write_client(folder, port)
    log = (folder / "log").open("wb")
    command = [*within, SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
    process = subprocess.Popen(command, stderr=log, start_new_session=True)
    server = Server(folder, process)
    server.known_hosts()
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server
        time.sleep(0.02)
    server.end()
    raise RuntimeError(f"sshd did not start: {(folder / 'log').read_text()}")


def _write_client(folder: Path, port: int) -> None:
    (folder / "ssh_config").write_text(
        f"Host {HOST}\n"
        "  HostName 127.0.0.1\n"
        f"  Port {port}\n"
        f"  User {getpass.getuser()}\n"
        f"  IdentityFile {folder}/user\n"
        "  IdentitiesOnly yes\n"
        "Host *\n"
        f"  UserKnownHostsFile {folder}/known_hosts\n"
        "  GlobalKnownHostsFile /dev/null\n"
        "  BatchMode yes\n"
    )
    (folder / "bin").mkdir()
    client = folder / "bin" / "ssh"
    client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh_config "$@"\n')
    client.chmod(0o755)
