# SPDX-License-Identifier: Apache-2.0
"""The devices that ``bench`` and ``classify`` take by name, and the measurement on one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edgecxr.cli import common

if TYPE_CHECKING:
    from edgecxr.bench.device import Device
    from edgecxr.bench.host import Pictures, Settings
    from edgecxr.bench.reference import Reference
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.interpreter import Precision
    from edgecxr.core.result import BenchRow, Host

HOST = "host"
SERIAL = "serial"
EMULATOR = "emulator:"
SSH = "ssh:"
EIM = ".eim"
_PROGRAM = "host"
"""``emulator:host``: the firmware as a program of this computer."""


@dataclass(frozen=True)
class Wish:
    """What to measure on each device.

    Attributes:
        asked: whether the user named the precisions; else one that a board has no room for is
            left out.
        fresh: do not go on with an interrupted run.
        runtimes, settings: of a machine that is reached over SSH, as of the host.
        python: the command of the Python there; None looks for one.
        references: what this host says of the pictures, as far as it is known already.
        machines: takes what is found of those that were reached over SSH.
        missing: takes a sentence for each runtime that is missing on one of them.
    """

    bundle: Bundle
    precisions: Sequence[Precision]
    asked: bool
    pictures: Pictures | None
    cache: Path | None
    timeout_s: float
    fresh: bool
    runtimes: Sequence[str]
    settings: Settings
    python: str | None
    references: dict[Precision, Reference] = field(default_factory=dict)
    machines: dict[str, Host] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def resolve(names: Sequence[str] | None, port: str | None) -> list[str]:
    """The devices that are meant, each once; without names, the host, or the port if one is given.

    Raises:
        UsageError: if a board has no emulator.
        DeviceError: if ``serial`` is meant and not exactly one board is attached.
    """
    from edgecxr.core.ports import attached_ports, only_port

    found: dict[str, None] = {}
    for name in names or [SERIAL if port else HOST]:
        if name.startswith(EMULATOR):
            check_emulator(name.removeprefix(EMULATOR))
        real = (port or only_port(attached_ports())) if name == SERIAL else name
        found[real] = None
    return list(found)


def check_emulator(board: str) -> None:
    """See that a board can be emulated, before anything is built for it.

    Raises:
        UsageError: if there is no such board, or no emulator of it.
    """
    from edgecxr.core.board import boards, find_board
    from edgecxr.errors import UsageError

    if board != _PROGRAM and find_board(board).emulator is None:
        known = ", ".join(name for name, each in boards().items() if each.emulator)
        raise UsageError(f"there is no emulator of {board}; emulated are {known}")


@contextmanager
def opened(name: str, bundle: Bundle, precision: Precision, timeout_s: float) -> Iterator[Device]:
    """A device by its name; an emulator runs firmware that is built for this, with this precision.

    Raises:
        DeviceError: if it does not answer.
        FlashError: if the firmware does not fit the emulated board.
        MissingPackageError: if a compiler or QEMU is missing.
    """
    from edgecxr.bench.device import Device
    from edgecxr.bench.transport import open_line

    with ExitStack() as stack:
        url = name
        if name.startswith(EMULATOR):
            url = stack.enter_context(_emulated(name, bundle, precision))
        line = open_line(url, name)
        stack.callback(line.close)
        yield Device(line, timeout_s)


@contextmanager
def _emulated(name: str, bundle: Bundle, precision: Precision) -> Iterator[str]:
    from edgecxr.deploy.build import build
    from edgecxr.deploy.emulate import emulated

    with tempfile.TemporaryDirectory(prefix="edgecxr-firmware-") as folder:
        board = name.removeprefix(EMULATOR)
        common.note(f"Building the {precision} firmware of {bundle.manifest.name} for {board}")
        image = build(bundle, board, precision=precision, folder=Path(folder))
        with emulated(image) as url:
            yield url


def check_firmware(device: Device, bundle: Bundle, wanted: Sequence[Precision]) -> Precision:
    """See that a device runs a model of this bundle, and of a wanted precision.

    Raises:
        VerificationError: if it does not.
    """
    from edgecxr.bench.device import check_model
    from edgecxr.core.files import sha256
    from edgecxr.errors import VerificationError

    found = device.info.precision
    model = bundle.path(found)
    check_model(device, f"{bundle.manifest.name}/{model.name}", sha256(model))
    if found not in wanted:
        raise VerificationError(
            f"expected {' or '.join(wanted)} firmware on {device.name}, found {found}; "
            "flash the other one, or leave --precision away"
        )
    return found


def measure(name: str, wish: Wish) -> tuple[list[BenchRow], list[str]]:
    """One row of a board, one for each precision of an emulator, or all of a machine over SSH.

    Returns:
        The rows, and a sentence for each whose scores are not the host's.
    """
    from edgecxr.errors import FlashError

    if name.startswith(SSH):
        return _over_ssh(name, wish)
    if name.endswith(EIM):
        row, sentence = _measured_eim(Path(name), wish)
        return [row], [sentence] if sentence else []
    rows: list[BenchRow] = []
    wrong: list[str] = []
    refused: FlashError | None = None
    precisions = wish.precisions if name.startswith(EMULATOR) else wish.precisions[:1]
    for precision in precisions:
        try:
            with opened(name, wish.bundle, precision, wish.timeout_s) as device:
                row, sentence = _measured(device, wish)
        except FlashError as error:
            if wish.asked:
                raise
            common.note(f"Left out: {error}")
            refused = error
            continue
        rows.append(row)
        wrong += [sentence] if sentence else []
    if not rows and refused is not None:
        raise refused
    return rows, wrong


def _measured_eim(path: Path, wish: Wish) -> tuple[BenchRow, str | None]:
    from edgecxr.bench.eim import opened_eim
    from edgecxr.bench.on_device import random_images
    from edgecxr.bench.run_eim import check_eim, run_eim

    bundle = wish.bundle
    labels, shape = bundle.manifest.labels, bundle.manifest.input
    models = {precision: bundle.path(precision) for precision in wish.precisions}
    with opened_eim(path, wish.timeout_s) as eim:
        precision = check_eim(eim, labels, models)
        pictures = wish.pictures
        return run_eim(
            eim,
            models[precision],
            precision,
            labels,
            random_images(shape.height, shape.width) if pictures is None else pictures.images,
            None if pictures is None else pictures.truth,
            progress=common.progress_bar,
        )


def _measured(device: Device, wish: Wish) -> tuple[BenchRow, str | None]:
    from edgecxr.bench.on_device import mismatch, random_images, run_on_device
    from edgecxr.bench.record import Record
    from edgecxr.bench.reference import reference_of
    from edgecxr.data.cache import default_cache_dir

    precision = check_firmware(device, wish.bundle, wish.precisions)
    model = wish.bundle.path(precision)
    pictures = wish.pictures
    images = random_images(*device.info.input[:2]) if pictures is None else pictures.images
    record = Record(wish.cache or default_cache_dir(), device.info, images)
    if wish.fresh:
        record.forget()
    elif record.answers:
        common.note(
            f"{device.name}: going on with an interrupted run, {len(record.answers)} of "
            f"{len(images)} images are done; --fresh starts again"
        )
    if precision not in wish.references:
        wish.references[precision] = reference_of(model, precision, images, common.progress_bar)
    reference = wish.references[precision]
    manifest = wish.bundle.manifest
    row = run_on_device(
        device,
        model,
        images,
        None if pictures is None else pictures.truth,
        reference,
        record,
        judge=lambda raw: manifest.verdict(precision, raw),
        progress=common.progress_bar,
    )
    return row, mismatch(row, reference)


def _over_ssh(name: str, wish: Wish) -> tuple[list[BenchRow], list[str]]:
    from edgecxr.bench.host import Pictures
    from edgecxr.bench.machine import with_end
    from edgecxr.bench.on_device import random_images
    from edgecxr.bench.over_ssh import Remote, mismatch, run_over_ssh
    from edgecxr.bench.ssh import Connection

    models = {precision: wish.bundle.path(precision) for precision in wish.precisions}
    size = wish.bundle.manifest.input
    pictures = wish.pictures or Pictures(random_images(size.height, size.width), None)
    with Connection(name.removeprefix(SSH), wish.python, wish.timeout_s) as connection:
        common.note(
            f"{name}: working with {connection.python} in {connection.folder}, which is removed "
            "at the end"
        )
        remote = Remote(connection)
        before = remote.look()
        rows, missing = run_over_ssh(
            remote,
            models,
            wish.runtimes,
            before.runtimes,
            pictures,
            wish.settings,
            progress=common.progress_bar,
        )
        now = remote.look().host.before
    wish.machines[name] = before.host if now is None else with_end(before.host, now)
    for sentence in missing:
        common.note(f"edgecxr: {sentence}")
    wish.missing.extend(missing)
    return rows, [wrong for row in rows if (wrong := mismatch(row))]
