# SPDX-License-Identifier: Apache-2.0
"""The words of the wire, without any I/O: commands to bytes, lines to typed replies.

``firmware/src/README.md`` is the contract. Commands end in ``%``; replies are lines that end in
CR LF, and the last line of each reply is ``m-ready``. What a result depends on is under a CRC-32:
``m-check-[…]`` covers the command and every line of its reply, and ``m-image-[…]`` says which
image a result belongs to.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgecxr.errors import DeviceError

WIRE = 1
BAUD = 115200
COMMAND_LIMIT = 80
"""Characters before the ``%``."""
PIECE = 31
"""Bytes that one ``db HEX%`` may carry."""
LINE_LIMIT = 4096
"""No reply line is as long; what is longer is noise, and is not kept."""
SYNC = b"%"
READY = "m-ready"
LOAD_DONE = "m-load-done"
INFO = "info"
DEMO = "demo"

_CHECK = re.compile(r"m-check-\[([0-9A-Fa-f]{8})\]")
_IMAGE = re.compile(r"m-image-\[([0-9A-Fa-f]{8})\]")
_LAP = re.compile(r"m-lap-us-(\d{1,20})")
_START = re.compile(r"m-infer-start-(\d{1,9})")
_SCORES = re.compile(r"m-scores-\[([0-9a-fA-F,\-]+)\]")
_DECISION = re.compile(r"m-decision-\[(\{.+\})\]")
_CYCLES = re.compile(r"m-cycles-(\d{1,20})")
_INFO = re.compile(r"m-info-\[(.+)\]")
_DEMO = re.compile(r"m-demo-\[(.+)\]")
_REFUSAL = re.compile(r"e-\[(.*)\]")
_LAP_MODULUS = 1 << 32

Scores = NDArray[np.int8] | NDArray[np.float32]


class WireError(DeviceError):
    """A reply did not come, or came damaged; the exchange may be tried again."""


class RefusalError(WireError):
    """The device answered ``e-[…]``."""


class DeviceInfo(BaseModel):
    """What ``info%`` says of the firmware; None is what its port cannot know.

    Attributes:
        sha256: of the ``.tflite`` file that the firmware was made from.
        input: height, width, channels.
        clock: what the device's laps count.
        clock_hz: of the processor.
        stack_bytes: the most that was used since the start.
        keeps_image: whether the device holds a whole image, so that it can run it again.
        db_raw: whether it takes an image in one piece; else in lines of hexadecimal digits.
        demo_images: how many are built into the firmware.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    wire: int
    edgecxr: str
    board: str
    model: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    precision: Literal["int8", "float32"]
    labels: tuple[str, ...] = Field(min_length=2)
    input: tuple[int, int, int]
    runtime: str
    compiler: str | None = None
    clock_hz: int | None = None
    clock: Literal["us", "instructions", "cycles"]
    flash_bytes: int | None = None
    static_ram_bytes: int | None = None
    arena_bytes: int | None = None
    stack_bytes: int | None = None
    keeps_image: bool = True
    db_raw: bool = True
    demo_images: int | None = None


class BoardDecision(BaseModel):
    """What a device makes of its own scores.

    Attributes:
        label: of the top class.
        possible: the classes in the set, in the order of the labels.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    label: str
    uncertain: bool
    possible: tuple[str, ...] = Field(alias="set", min_length=1)


@dataclass(frozen=True)
class Inference:
    """What ``infer%`` gave.

    Attributes:
        scores: as the model gave them, int8 or float32, shape (classes,).
        ticks: of the device's clock, from before the first to after the last of ``runs``.
        image_crc: CRC-32 of the image that the scores are of.
        decision: None if the firmware's bundle has no rules.
    """

    scores: Scores
    ticks: int
    runs: int
    image_crc: int
    decision: BoardDecision | None = None


@dataclass(frozen=True)
class Demo:
    """What a board found in one of its own images.

    Attributes:
        image: its name.
        found: as after ``infer%``, of one run.
    """

    image: str
    found: Inference


def encode(command: str) -> bytes:
    """A command as it goes over the wire.

    Raises:
        ValueError: if the wire has no way to say it.
    """
    data = command.encode("ascii")
    if len(data) > COMMAND_LIMIT or b"%" in data or not command.isprintable():
        raise ValueError(f"no command of the wire: {command!r}")
    return data + SYNC


def raw_load(image: bytes) -> str:
    """The command that announces an image of so many bytes, with its CRC-32."""
    return f"db raw {len(image)} {zlib.crc32(image):08X}"


def text_load(size: int) -> str:
    return f"db load {size}"


def text_pieces(image: bytes) -> list[str]:
    """The commands that carry an image as hexadecimal digits, after :func:`text_load`."""
    return [f"db {image[at : at + PIECE].hex()}" for at in range(0, len(image), PIECE)]


def infer(runs: int, warmup: int) -> str:
    return f"infer {runs} {warmup}"


def expecting(size: int) -> str:
    return f"m-[Expecting {size} bytes]"


def check(command: str, lines: Sequence[bytes]) -> int:
    """The CRC-32 of a command (without ``%``) and its reply lines (without CR LF)."""
    crc = zlib.crc32(command.encode("ascii"))
    for line in lines:
        crc = zlib.crc32(line + b"\r\n", crc)
    return crc


class LineReader:
    """Cuts what arrives into lines, and forgets lines that are too long to be a reply."""

    def __init__(self) -> None:
        self._waiting = b""
        self._overlong = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes, without their ends."""
        *ended, self._waiting = (self._waiting + data).split(b"\n")
        if self._overlong and ended:
            ended, self._overlong = ended[1:], False
        if len(self._waiting) > LINE_LIMIT:
            self._waiting, self._overlong = b"", True
        return [line.removesuffix(b"\r") for line in ended if len(line) <= LINE_LIMIT]


def text_of(line: bytes) -> str:
    """A line for comparing and for showing: what is not ASCII becomes a question mark."""
    return line.decode("ascii", errors="replace").replace("�", "?")


def refusal_in(line: str) -> str | None:
    """The device's words, if the line is an ``e-[…]``."""
    found = _REFUSAL.fullmatch(line)
    return found[1] if found else None


def is_check(line: bytes) -> bool:
    return _CHECK.fullmatch(text_of(line)) is not None


def checked(command: str, lines: Sequence[bytes]) -> list[str]:
    """The lines of a reply whose last line is its check.

    Args:
        lines: everything from the command on, ``m-check-[…]`` included, ``m-ready`` not.

    Raises:
        RefusalError: if the device refused the command.
        WireError: if a byte of the command or of the reply was damaged on its way.
    """
    texts = [text_of(line) for line in lines]
    found = _CHECK.fullmatch(texts[-1]) if texts else None
    if found is None:
        said = next((words for text in texts if (words := refusal_in(text)) is not None), None)
        if said is not None:
            raise RefusalError(f"the device refused {command}%: {said}")
        raise WireError(f"expected m-check after {command}%, found {_last(texts)}")
    if int(found[1], 16) != check(command, lines[:-1]):
        raise WireError(f"the reply to {command}% was damaged on its way")
    for text in texts:
        if (words := refusal_in(text)) is not None:
            raise RefusalError(f"the device refused {command}%: {words}")
    return texts[:-1]


def _last(texts: Sequence[str]) -> str:
    return repr(texts[-1][:80]) if texts else "nothing"


def parse_info(texts: Sequence[str]) -> DeviceInfo:
    """The lines of a checked reply to ``info%``.

    Raises:
        WireError: if it is not the info of this version of the wire.
    """
    found = _one(_INFO, texts)
    try:
        content: Any = json.loads(found[1])
    except ValueError as error:
        raise WireError("expected JSON in m-info, found something else; flash it again") from error
    version = content.get("wire") if isinstance(content, dict) else None
    if version != WIRE:
        raise WireError(
            f"expected firmware that speaks version {WIRE} of the wire, found {version}; "
            "flash this edgecxr's firmware"
        )
    try:
        return DeviceInfo.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "all of it"
        raise WireError(
            f"m-info is not what this edgecxr expects: {place}: {first['msg']}; "
            "flash this edgecxr's firmware"
        ) from error


def parse_inference(texts: Sequence[str], info: DeviceInfo) -> Inference:
    """The lines of a checked reply to ``infer%``.

    Raises:
        WireError: if something in it is missing, twice there, or of another model.
    """
    laps = [int(found[1]) for text in texts if (found := _LAP.fullmatch(text))]
    if len(laps) != 2:
        raise WireError(f"expected two lines m-lap-us after infer%, found {len(laps)}")
    scores = parse_scores(_one(_SCORES, texts)[1], info.precision)
    if len(scores) != len(info.labels):
        raise WireError(f"expected {len(info.labels)} scores, found {len(scores)}")
    cycles = [int(found[1]) for text in texts if (found := _CYCLES.fullmatch(text))]
    if len(cycles) != (info.clock == "cycles"):
        raise WireError(f"a clock of {info.clock} does not go with {len(cycles)} lines m-cycles")
    return Inference(
        scores=scores,
        ticks=cycles[0] if cycles else (laps[1] - laps[0]) % _LAP_MODULUS,
        runs=int(_one(_START, texts)[1]),
        image_crc=int(_one(_IMAGE, texts)[1], 16),
        decision=_decision(texts),
    )


def _decision(texts: Sequence[str]) -> BoardDecision | None:
    if not any(text.startswith("m-decision-") for text in texts):
        return None
    try:
        return BoardDecision.model_validate_json(_one(_DECISION, texts)[1])
    except ValidationError as error:
        raise WireError("m-decision is not what this edgecxr expects; flash it again") from error


def parse_demo(texts: Sequence[str], info: DeviceInfo) -> list[Demo]:
    """The lines of a checked reply to ``demo%``, in the board's order.

    Raises:
        WireError: if one is not what this edgecxr expects.
    """
    found = [match[1] for text in texts if (match := _DEMO.fullmatch(text))]
    if len(found) != info.demo_images:
        raise WireError(f"expected {info.demo_images} lines m-demo, found {len(found)}")
    return [_one_demo(text, info) for text in found]


def _one_demo(text: str, info: DeviceInfo) -> Demo:
    try:
        content: Any = json.loads(text)
        said = _DemoLine.model_validate({**content, "ticks": content[info.clock]})
    except (ValueError, TypeError, KeyError) as error:
        raise WireError(
            f"m-demo is not what this edgecxr expects: {text[:80]!r}; flash this edgecxr's firmware"
        ) from error
    scores = parse_scores(said.scores, info.precision)
    if len(scores) != len(info.labels) or said.label != info.labels[int(scores.argmax())]:
        raise WireError(f"the label and the scores of {said.image} do not fit: {text[:80]!r}")
    decision = None
    if said.uncertain is not None:
        decision = BoardDecision(label=said.label, uncertain=said.uncertain, set=said.possible)
    return Demo(said.image, Inference(scores, said.ticks, 1, int(said.crc32, 16), decision))


class _DemoLine(BaseModel):
    image: str
    crc32: str = Field(pattern="^[0-9A-F]{8}$")
    label: str
    scores: str
    ticks: int = Field(ge=0)
    uncertain: bool | None = None
    possible: tuple[str, ...] = Field((), alias="set")


def _one(pattern: re.Pattern[str], texts: Sequence[str]) -> re.Match[str]:
    found = [match for text in texts if (match := pattern.fullmatch(text))]
    if len(found) != 1:
        name = pattern.pattern.split("\\")[0].split("(")[0]
        raise WireError(f"expected one line {name} in the reply, found {len(found)}")
    return found[0]


def parse_scores(text: str, precision: Literal["int8", "float32"]) -> Scores:
    """Scores from the inside of ``m-scores-[…]``: integers, or the hexadecimal bits of floats.

    Raises:
        WireError: if one is no such number.
    """
    words = text.split(",")
    if precision == "float32":
        if any(re.fullmatch("[0-9a-fA-F]{8}", word) is None for word in words):
            raise WireError(f"expected float32 bits of 8 hexadecimal digits, found {text!r}")
        return np.array([int(word, 16) for word in words], np.uint32).view(np.float32)
    if any(re.fullmatch(r"-?\d{1,3}", word) is None for word in words):
        raise WireError(f"expected int8 scores, found {text!r}")
    values = [int(word) for word in words]
    if min(values) < -128 or max(values) > 127:
        raise WireError(f"expected int8 scores from -128 to 127, found {text!r}")
    return np.array(values, np.int8)
