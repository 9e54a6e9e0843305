# SPDX-License-Identifier: Apache-2.0
"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, NoReturn

from edgecxr.errors import OutputError


@contextmanager
def opened_regular(path: Path, most: int) -> Iterator[BufferedReader]:
    """Open a file that a stranger may have put there: a regular file of at most ``most`` bytes.

    A pipe is not waited for, and a link is not followed. What grows afterwards is the reader's to
    bound.

    Raises:
        OSError: if it is something else, is larger, or cannot be opened; ``strerror`` says it in
            words that fit after the path.
    """
    # A named pipe would wait for its writer without O_NONBLOCK; regular files do not care.
    how = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
    try:
        handle = os.open(path, how)
    except ValueError as error:  # a NUL in the path
        raise OSError(errno.EINVAL, "has a name that no file can have", str(path)) from error
    except OSError as error:
        said = f"cannot be opened ({error.strerror})"
        if error.errno == errno.ELOOP:
            said = "is a link, and links are not followed here"
        raise OSError(error.errno, said, str(path)) from error
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "is no regular file", str(path))
        if found.st_size > most:
            said = f"has {found.st_size:,} bytes, more than the {most:,} that are read"
            raise OSError(errno.EFBIG, said, str(path))
        with os.fdopen(handle, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(handle)


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a file that :func:`opened_regular` opens.

    Raises:
        OSError: as it says.
    """
    with opened_regular(path, most) as file:
        return file.read(most)


def parse_json(data: bytes | str) -> Any:
    """JSON that a stranger may have written.

    Raises:
        ValueError: if it is none, in words that fit after "cannot be read as JSON:"; NaN and
            Infinity are not JSON, though Python takes them.
    """

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"it has {constant} where a number is expected")

    try:
        return json.loads(data, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def sha256(data: bytes | Path) -> str:
    """SHA-256 of bytes or of a file's content, as 64 hexadecimal digits."""
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    with data.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _output_error(path: Path, error: OSError) -> OutputError:
    if error.errno == errno.ENOSPC:
        return OutputError(
            f"the disk is full: {path} was not written; free some space, then run again"
        )
    return OutputError(f"{path} could not be written: {error.strerror or error}")


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write ``data`` under a temporary name beside ``path``, then rename it into place.

    Raises:
        OutputError: if the disk is full or the folder is not writable; ``path`` is then untouched.
    """
    write_together(path.parent, {path.name: data})


def write_together(folder: Path, contents: Mapping[str, bytes | str]) -> None:
    """Write files that belong together: none is renamed into place before all are written.

    Raises:
        OutputError: if the disk is full or the folder is not writable; no file is then touched.
    """
    written: dict[Path, Path] = {}
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (folder / name for name in contents):
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
            written[path] = Path(name)
            content = contents[path.name]
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            written[path].chmod(0o644)
        for path, temporary in written.items():
            temporary.replace(path)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        for temporary in written.values():
            temporary.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Find out before a long job, not after it, whether files can be written in ``folder``.

    Raises:
        OutputError: if they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _output_error(folder, error) from error


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a lock; it is free again when the block or the process ends, however it ends.

    Args:
        path: a folder that is there, or a lock file, made if need be.
        wait: for whoever holds it.

    Yields:
        False if somebody else holds it and ``wait`` is false.

    Raises:
        OutputError: if it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        how = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
        handle = os.open(path, how, 0o644)
    except OSError as error:
        raise _output_error(path, error) from error
    try:
        held = True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            held = False
        yield held
    finally:
        os.close(handle)


def refuse_existing(path: Path, force: bool = False, *, mark: str = "") -> None:
    """Refuse an output that is already there, so that a long job fails before it starts.

    Args:
        mark: a file that every folder of this kind holds. ``force`` replaces no other folder, so
            that a slip of the hand does not remove the user's images.

    Raises:
        OutputError: if ``path`` exists and ``force`` is false, or ``mark`` is not in it.
    """
    if not path.exists():
        return
    if not force:
        raise OutputError(f"{path} exists already; choose another name, or pass --force to replace")
    if mark and not (path / mark).is_file() and not (path.is_dir() and not any(path.iterdir())):
        raise OutputError(
            f"{path} has no {mark}, so --force would remove something else than what is written "
            "here; choose another name"
        )


@contextmanager
def new_folder(path: Path, *, force: bool = False, mark: str = "") -> Iterator[Path]:
    """Yield an empty temporary folder that becomes ``path`` when the block ends without error.

    Nothing appears under ``path`` before everything is written; an error removes what was there.

    Raises:
        OutputError: as :func:`refuse_existing` says, or if it cannot be written.
    """
    refuse_existing(path, force, mark=mark)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        temporary.chmod(0o755)
        yield temporary
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
            path.replace(old / path.name)
            temporary.replace(path)
            shutil.rmtree(old)
        else:
            temporary.replace(path)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
