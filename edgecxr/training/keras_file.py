# SPDX-License-Identifier: Apache-2.0
"""The one door for Keras files: looked at before Keras reads them, since a stranger may have made
them.

A ``.keras`` file is a zip of a configuration, from which Keras makes whatever it names, and of an
HDF5 file with the weights. Keras checks neither how large they become nor, in older versions, what
is named.
"""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from edgecxr.core.bundle import Bundle
from edgecxr.core.files import opened_regular, parse_json
from edgecxr.core.text import one_line, shortened
from edgecxr.errors import ModelError
from edgecxr.optional import require

if TYPE_CHECKING:
    import keras

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
LARGEST = {"metadata.json": 2**16, _CONFIG: 2**24, _WEIGHTS: 2**29}
"""What a ``.keras`` file may hold, and of how many bytes once unpacked; VGG19 has 80 million."""
_LARGEST_FILE = 2**29
_MOST_OBJECTS = 20_000
_SPARE = 1_000
"""Numbers that a model has and its file may lack: seeds of dropout."""

# What `edgecxr train` makes models of, and layers like those. Nothing here runs code or opens files
# that the configuration names.
_LAYERS = """
    Activation Add Average AveragePooling2D BatchNormalization Concatenate Conv2D Cropping2D Dense
    DepthwiseConv2D Dropout ELU Flatten Functional GlobalAveragePooling2D GlobalMaxPooling2D
    InputLayer LayerNormalization LeakyReLU MaxPooling2D Maximum Minimum Multiply Normalization
    PReLU Permute ReLU Rescaling Reshape SeparableConv2D Sequential Softmax SpatialDropout2D
    Subtract UpSampling2D ZeroPadding2D
"""
_PARTS = """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform Ones Orthogonal
    RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros L1 L1L2 L2 MaxNorm MinMaxNorm
    NonNeg UnitNorm DTypePolicy __keras_tensor__ __tuple__
"""
ALLOWED = frozenset((_LAYERS + _PARTS).split())


class RefusedError(ModelError):
    """A Keras file is whole, and holds what it must not."""


def load_of(bundle: Bundle) -> keras.Model:
    """The Keras model of a bundle.

    Raises:
        BundleError: if the bundle has none.
        ModelError: as :func:`load_keras`, or if it is not the model that the manifest speaks of.
    """
    path, shape = bundle.path("keras"), bundle.manifest.input
    model = load_keras(path)
    taken = (None, shape.height, shape.width, shape.channels)
    check_fits(path, model, taken, (None, len(bundle.manifest.labels)))
    return model


def load_keras(path: Path) -> keras.Model:
    """The model in a ``.keras`` file, once the file was looked at.

    Raises:
        ModelError: if the file is damaged, is larger than it may be once unpacked, or names a layer
            that is not in the list.
    """
    numbers, config = _looked_at(path)
    _check_size(path, config, numbers)
    require("tensorflow", extra="train")
    import keras

    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # of a stranger's file Keras raises whatever happens in it
        raise _damaged(path, error) from error


def check_fits(path: Path, model: keras.Model, taken: Any, given: Any) -> None:
    """Raise ModelError if a model has another input or output shape, batch included."""
    found = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    if found != (taken, given):
        raise ModelError(
            f"{path} takes {found[0]} and gives {found[1]}, expected {taken} and {given}; give a "
            "model that `edgecxr train` made of the same images and classes"
        )


def check_weights(path: Path) -> None:
    """Look at a file of weights alone, ``.h5`` or ``.keras``.

    Raises:
        ModelError: if it is damaged.
        RefusedError: if it is larger than it may be once unpacked, or has links.
    """
    try:
        with opened_regular(path.resolve(), _LARGEST_FILE) as file:
            archive = zipfile.is_zipfile(file)
            if not archive:
                file.seek(0)
                _count_numbers(path, file)
    except OSError as error:
        raise _damaged(path, error) from error
    if archive:
        _looked_at(path.resolve())


def _looked_at(path: Path) -> tuple[int, bytes]:
    """How many numbers the weights of a ``.keras`` file are, and its configuration."""
    try:
        with opened_regular(path, _LARGEST_FILE) as file, zipfile.ZipFile(file) as archive:
            _check_members(path, archive)
            config = archive.read(_CONFIG)
            _check_classes(path, config)
            weights = archive.read(_WEIGHTS)
    except ModelError:
        raise
    except Exception as error:  # zipfile passes on whatever a damaged file brings about
        raise _damaged(path, error) from error
    return _count_numbers(path, io.BytesIO(weights)), config


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    names = [each.filename for each in archive.infolist()]
    for each in archive.infolist():
        most = LARGEST.get(each.filename)
        if most is None or names.count(each.filename) > 1:
            raise _refused(path, f"holds {shortened(one_line(each.filename))}")
        if each.file_size > most:
            raise _refused(
                path,
                f"holds {each.filename} of {each.file_size:,} bytes, more than the {most:,} that "
                "are unpacked",
            )


def _check_classes(path: Path, config: bytes) -> None:
    """Everything that the configuration names is in the list, and is Keras' own."""
    try:
        left = [parse_json(config)]
    except ValueError as error:
        raise _damaged(path, error) from error
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += value.values()
            if "class_name" in value or "module" in value:
                _check_class(path, value)


def _check_class(path: Path, named: dict[str, Any]) -> None:
    name, module = named.get("class_name"), named.get("module")
    registered = named.get("registered_name")
    own = module is None or module == "keras" or str(module).startswith("keras.")
    if name not in ALLOWED or not own or registered not in (None, name):
        what = ".".join(str(part) for part in (module, name) if part is not None)
        raise _refused(path, f"holds {shortened(one_line(what))}")


def _count_numbers(path: Path, file: IO[bytes]) -> int:
    """All the numbers in an HDF5 file, counted without reading one of them."""
    h5py = require("h5py", extra="train")
    total = 0
    try:
        with h5py.File(file, "r") as opened:
            for name, found in _objects(path, opened, h5py):
                if not isinstance(found, h5py.Dataset):
                    continue
                size = max(found.nbytes, _chunk_bytes(found))
                total += found.size or 0
                if found.dtype.kind not in "biufS" or found.is_virtual or found.external:
                    raise _refused(path, f"has something else than numbers in {name}")
                if size > LARGEST[_WEIGHTS] or 4 * total > LARGEST[_WEIGHTS]:
                    raise _refused(
                        path, f"has weights of more than {LARGEST[_WEIGHTS]:,} bytes once unpacked"
                    )
    except RefusedError:
        raise
    except Exception as error:  # h5py passes on whatever a damaged file brings about
        raise _damaged(path, error) from error
    return total


def _chunk_bytes(found: Any) -> int:
    """What one chunk takes, which HDF5 unpacks as a whole."""
    size = int(found.dtype.itemsize)
    for side in found.chunks or (0,):
        size *= int(side)
    return size


def _objects(path: Path, root: Any, h5py: Any) -> Iterator[tuple[str, Any]]:
    """Groups and datasets of a file, each once; links to elsewhere are refused."""
    seen: set[int] = set()
    left = [root]
    while left:
        group = left.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise _refused(path, f"has a link in {shortened(one_line(name))}")
            found = group[name]
            address = h5py.h5o.get_info(found.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > _MOST_OBJECTS:
                raise _refused(path, f"has more than {_MOST_OBJECTS:,} parts")
            yield shortened(one_line(str(found.name))), found
            if isinstance(found, h5py.Group):
                left.append(found)


def _check_size(path: Path, config: bytes, numbers: int) -> None:
    """The configuration asks for no more numbers than the weights are.

    A few hundred bytes could name a layer of billions, and Keras makes it before it looks at them.
    """
    state = random.getstate()  # Keras draws seeds, and training is to go on to the same bits
    try:
        # Variables that are declared and never made belong to a thread, and end with it.
        with ThreadPoolExecutor(1) as apart:
            wanted = apart.submit(_declared, config).result()
    except Exception as error:  # of a stranger's file Keras raises whatever happens in it
        raise _damaged(path, error) from error
    finally:
        random.setstate(state)
    if wanted > numbers + _SPARE:
        raise _refused(path, f"names a model of {wanted:,} numbers and holds {numbers:,}")


def _declared(config: bytes) -> int:
    """How many numbers a model has, without making them."""
    require("tensorflow", extra="train")
    import keras
    import numpy as np

    with keras.StatelessScope(initialize_variables=False):
        model: Any = keras.saving.deserialize_keras_object(parse_json(config), safe_mode=True)
        return sum(int(np.prod(each.shape, dtype=np.float64)) for each in model.variables)


def _refused(path: Path, what: str) -> RefusedError:
    return RefusedError(
        f"{path} {what}, and such a Keras file is not opened, since it could run code of its own "
        "or fill the memory; use a model that `edgecxr train` made"
    )


def _damaged(path: Path, error: Exception) -> ModelError:
    kind = type(error).__name__
    return ModelError(
        f"{path} is no Keras file that can be read ({kind}); restore it, or train the model again"
    )
