# SPDX-License-Identifier: Apache-2.0
"""Keras files that a stranger made to run code or to fill the memory: none reaches Keras."""

from __future__ import annotations

import io
import json
import random
import re
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from edgecxr.core.bundle import Bundle
from edgecxr.errors import ModelError, TrainingError
from edgecxr.training.architectures import Spec, build
from edgecxr.training.keras_file import LARGEST, RefusedError, check_weights, load_keras, load_of
from tests.bundles import write_bundle

CXR3 = Path(__file__).parents[2] / "models" / "cxr3"
WEIGHTS = "model.weights.h5"
Parts = dict[str, bytes]


@pytest.fixture(scope="module")
def parts() -> Parts:
    """What is in the file of the reference model."""
    with zipfile.ZipFile(CXR3 / "model.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def keras_file(path: Path, parts: Parts, **changes: bytes) -> Path:
    named = {name.replace("_", "."): content for name, content in changes.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**parts, **named}.items():
            archive.writestr(name, content)
    return path


def with_layer(parts: Parts, edit: Callable[[dict[str, Any]], None]) -> bytes:
    """The configuration with its last layer, a Dense, changed."""
    config = json.loads(parts["config.json"])
    edit(config["config"]["layers"][-1])
    return json.dumps(config).encode()


def sentence(path: Path, opened: Callable[[Path], object] = load_keras) -> str:
    """Why it is refused; no way out of Keras' own safety is advised, and the memory stays free."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError) as caught:
        opened(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000  # kB
    said = str(caught.value)
    assert said.isprintable()
    assert "safe_mode" not in said
    return said


def test_a_model_of_ours_is_loaded(parts: Parts, tmp_path: Path) -> None:
    assert load_of(Bundle.open(CXR3)).count_params() == 219_171
    assert load_keras(keras_file(tmp_path / "x.keras", parts)).output_shape == (None, 3)


def test_looking_at_a_file_draws_no_random_numbers() -> None:
    """Keras draws seeds when it makes a model: training is to go on to the bits it always had."""
    import keras

    states = []
    for load in (lambda path: keras.saving.load_model(path, compile=False), load_keras):
        random.seed(1)
        load(CXR3 / "model.keras")
        states.append(random.getstate())
    assert states[0] == states[1]


@pytest.mark.parametrize(
    "change",
    [
        {"class_name": "Lambda", "module": "keras.layers"},
        {"class_name": "TorchModuleWrapper", "module": "keras.layers"},
        {"class_name": "StringLookup", "module": "keras.layers"},
        {"class_name": "Dense", "module": "os"},
        {"class_name": "Dense", "module": "kerasx.layers"},
        {"class_name": "Dense", "registered_name": "evil>Dense"},
        {"class_name": "function", "module": "builtins"},
        {"class_name": "\x1b[2J\nForged", "module": "keras.layers"},
    ],
)
def test_a_class_that_is_not_in_the_list_is_not_made(
    parts: Parts, tmp_path: Path, change: dict[str, str]
) -> None:
    config = with_layer(parts, lambda layer: layer.update(change))
    said = sentence(keras_file(tmp_path / "x.keras", parts, config_json=config))
    assert "is not opened" in said


def test_a_class_deep_inside_is_found_too(parts: Parts, tmp_path: Path) -> None:
    config = with_layer(
        parts,
        lambda layer: layer["config"].update(
            kernel_initializer={"module": "keras.layers", "class_name": "Lambda", "config": {}}
        ),
    )
    said = sentence(keras_file(tmp_path / "x.keras", parts, config_json=config))
    assert "holds keras.layers.Lambda" in said


@pytest.mark.parametrize("name", sorted(LARGEST))
def test_what_would_be_too_large_is_not_unpacked(parts: Parts, tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for other, content in parts.items():
            if other != name:
                archive.writestr(other, content)
        with archive.open(name, "w", force_zip64=True) as file:
            for _ in range(LARGEST[name] // 2**20 + 1):
                file.write(b" " * 2**20)
    assert path.stat().st_size < 10_000_000
    assert "that are unpacked" in sentence(path)


def test_a_few_letters_cannot_ask_for_a_huge_layer(parts: Parts, tmp_path: Path) -> None:
    """256 inputs times 4 million units are 4 GB, which Keras makes before it looks at weights."""
    config = with_layer(parts, lambda layer: layer["config"].update(units=4_000_000))
    said = sentence(keras_file(tmp_path / "x.keras", parts, config_json=config))
    assert "names a model of" in said


def hdf5(make: Callable[[h5py.File], object]) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        make(file)
    return buffer.getvalue()


def bomb(file: h5py.File) -> None:
    """Two billion zeros that take a few kilobytes."""
    file.create_dataset("w", (2**31,), "f4", chunks=(2**20,), compression="gzip", fillvalue=0)


def chunk(file: h5py.File) -> None:
    file.create_dataset("w", (1,), "f4", chunks=(2**29,), maxshape=(None,), compression="gzip")


def loop(file: h5py.File) -> None:
    file.create_group("a")["b"] = file["/"]


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd.h5", "w", (4,))
    file.create_virtual_dataset("w", layout)


HOSTILE: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "bomb": (bomb, "once unpacked"),
    "chunk": (chunk, "once unpacked"),
    "soft link": (lambda f: f.__setitem__("w", h5py.SoftLink("/x")), "has a link in w"),
    "other file": (lambda f: f.__setitem__("w", h5py.ExternalLink("x.h5", "/")), "has a link in w"),
    "raw file": (
        lambda f: f.create_dataset("w", (4,), "f4", external="/etc/passwd"),
        "something else than numbers in /w",
    ),
    "virtual": (virtual, "something else than numbers in /w"),
    "text": (
        lambda f: f.create_dataset("w", data=["x"], dtype=h5py.string_dtype()),
        "something else than numbers in /w",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_weights_are_numbers_of_a_bounded_size(parts: Parts, tmp_path: Path, name: str) -> None:
    make, why = HOSTILE[name]
    content = hdf5(make)
    path = tmp_path / "x.keras"
    keras_file(path, {**parts, WEIGHTS: content})
    assert why in sentence(path)
    alone = tmp_path / "x.weights.h5"
    alone.write_bytes(content)
    with pytest.raises(RefusedError, match="is not opened"):
        check_weights(alone)


def test_a_group_inside_itself_ends(parts: Parts, tmp_path: Path) -> None:
    path = keras_file(tmp_path / "x.keras", {**parts, WEIGHTS: hdf5(loop)})
    assert "names a model of" in sentence(path)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"x" * 5_000, b"\x89HDF\r\n\x1a\n" + bytes(200)]
)
def test_a_file_that_is_none_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.keras"
    path.write_bytes(content)
    assert "is no Keras file that can be read" in sentence(path)
    assert "is no Keras file that can be read" in sentence(path, check_weights)


@pytest.mark.parametrize("config", [b"", b"[" * 100_000, b'{"class_name": "Functional"}', b"[]"])
def test_a_configuration_that_is_none_is_one_sentence(
    parts: Parts, tmp_path: Path, config: bytes
) -> None:
    path = keras_file(tmp_path / "x.keras", parts, config_json=config)
    assert "is no Keras file that can be read" in sentence(path)


def test_damaged_files_are_one_sentence_or_load(parts: Parts, tmp_path: Path) -> None:
    data = bytearray(keras_file(tmp_path / "x.keras", parts).read_bytes())
    generator = np.random.default_rng(5)
    said = []
    for trial in range(12):
        broken = bytearray(data)
        # Near the end lies the zip's table; at the beginning the configuration.
        for at in generator.integers(0, len(data) if trial % 2 else 20_000, 8):
            broken[at] ^= int(generator.integers(1, 256))
        path = tmp_path / "broken.keras"
        path.write_bytes(broken)
        try:
            load_keras(path)
        except ModelError as error:
            said.append(str(error))
    assert said
    assert all(map(str.isprintable, said))


def test_weights_with_damaged_tables_are_one_sentence(parts: Parts, tmp_path: Path) -> None:
    """HDF5 writes "no address" as -1; any other negative one made h5py raise an OverflowError."""
    data = parts[WEIGHTS]
    nowhere = [m.start() for m in re.finditer(rb"\xff{16}\x00{8}", data)]
    for at in nowhere[1 :: len(nowhere) // 12]:
        broken = bytearray(data)
        broken[at + 8] = 128
        path = keras_file(tmp_path / "x.keras", {**parts, WEIGHTS: bytes(broken)})
        assert "is no Keras file that can be read" in sentence(path)


def test_a_model_of_another_size_is_not_the_bundle_s(tmp_path: Path) -> None:
    import keras

    spec = Spec(
        height=32, width=32, channels=1, classes=2, width_multiplier=0.25, dropout=0.0, seed=1
    )
    model: keras.Model = build("mobilenet_v1", spec)
    bundle = write_bundle(tmp_path / "b", CXR3)
    model.save(tmp_path / "m.keras")
    changed = bundle.with_files({"keras": (tmp_path / "m.keras").read_bytes()})
    with pytest.raises(ModelError, match=r"takes \(None, 32, 32, 1\) and gives \(None, 2\)"):
        load_of(changed)


def test_weights_of_the_user_go_through_the_same_door(tmp_path: Path) -> None:
    path = tmp_path / "imagenet.h5"
    path.write_bytes(hdf5(bomb))
    spec = Spec(
        height=96, width=96, channels=1, classes=2, width_multiplier=0.25, dropout=0.0, seed=1
    )
    from edgecxr.training.architectures.weights import load_weights

    with pytest.raises(RefusedError, match="once unpacked"):
        load_weights(build("mobilenet_v1", spec), "mobilenet_v1", str(path), 0.25)
    path.write_bytes(b"no weights")
    with pytest.raises(TrainingError, match="does not hold Keras' weights"):
        load_weights(build("mobilenet_v1", spec), "mobilenet_v1", str(path), 0.25)
