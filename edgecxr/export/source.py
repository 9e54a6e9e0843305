# SPDX-License-Identifier: Apache-2.0
"""What is exported: a checked model file, and what its bundle says about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgecxr.core.bundle import Bundle
from edgecxr.core.decision import Rule
from edgecxr.core.labels import label_lines
from edgecxr.core.text import fault_of_labels
from edgecxr.errors import ModelError
from edgecxr.export.graph import Graph, Tensor
from edgecxr.export.reader import MAX_BYTES, read_tflite

Precision = Literal["int8", "float32"]


@dataclass(frozen=True)
class Source:
    """One model with one input and one output, ready to be exported.

    Attributes:
        path: the ``.tflite`` file.
        data: its bytes, checked.
        graph: what they say.
        name: the bundle's name, or the file's without its ending.
        labels: one per class, in the order of the outputs; empty if nobody said.
        preprocessing: the bundle's step names, in order; empty if nobody said.
        synthetic_data: whether the bundle was trained on synthetic images.
        rule: when the bundle is uncertain of this model's scores; None if nobody chose one.
    """

    path: Path
    data: bytes
    graph: Graph
    name: str
    labels: tuple[str, ...] = ()
    preprocessing: tuple[str, ...] = ()
    synthetic_data: bool = False
    rule: Rule | None = None

    @property
    def input(self) -> Tensor:
        return self.graph.tensor(self.graph.inputs[0])

    @property
    def output(self) -> Tensor:
        return self.graph.tensor(self.graph.outputs[0])


def port_facts(tensor: Tensor) -> dict[str, Any]:
    """What a report says of the input or the output, as JSON values."""
    quantization = tensor.quantization if tensor.dtype == "int8" else None
    return {
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": quantization.scale[0] if quantization else None,
        "zero_point": quantization.zero_point[0] if quantization else None,
    }


def open_source(
    model: Path, *, precision: Precision | None = None, labels: Path | None = None
) -> Source:
    """Read a bundle folder or a bare ``.tflite`` file.

    Args:
        model: a bundle (its int8 file is taken unless ``precision`` says otherwise) or a file.
        precision: what the model's input and output must be.
        labels: a text file with one label per line, for a bare file.

    Raises:
        BundleError: if the folder is not a sound bundle, or lacks the file.
        ModelError: if the file is malformed, has not one input and one output, is not of the
            precision asked for, or if the labels do not fit its classes.
    """
    if model.is_dir():
        if labels is not None:
            raise ModelError(f"{model} is a bundle and names its own labels; leave out --labels")
        bundle = Bundle.open(model)
        chosen = precision or bundle.default
        path = bundle.path(chosen)
        data = _read(path)
        manifest = bundle.manifest
        source = Source(
            path,
            data,
            read_tflite(data),
            manifest.name,
            manifest.labels,
            manifest.preprocessing.steps,
            manifest.synthetic_data,
            manifest.rule(chosen),
        )
    else:
        data = _read(model)
        names = () if labels is None else _read_labels(labels)
        source = Source(model, data, read_tflite(data), model.stem, names)
    _check(source, precision)
    return source


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            # One byte more than is allowed is enough for the reader to refuse it.
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelError(
            f"{path} could not be read: {error.strerror or error}; "
            "give a bundle folder or a .tflite file"
        ) from error


def _read_labels(path: Path) -> tuple[str, ...]:
    lines = label_lines(path)
    if lines is None:
        raise ModelError(
            f"the labels in {path} could not be read: there is no such file; "
            "give a UTF-8 text file with one label per line"
        )
    labels = tuple(line.strip() for line in lines if line.strip())
    fault = fault_of_labels(labels)
    if fault is not None:
        raise ModelError(f"the labels in {path} cannot be a model's: found {fault}; correct them")
    return labels


def _check(source: Source, precision: Precision | None) -> None:
    graph = source.graph
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ModelError(
            f"{source.path} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, "
            "expected one of each; export a single classifier"
        )
    wanted = (precision,) if precision else ("int8", "float32")
    found = {source.input.dtype, source.output.dtype}
    if len(found) != 1 or not found <= set(wanted):
        raise ModelError(
            f"{source.path} takes {source.input.dtype} and gives {source.output.dtype}, expected "
            f"{' or '.join(wanted)} for both; convert it so, or ask for another --precision"
        )
    for what, tensor in (("input", source.input), ("output", source.output)):
        quantization = tensor.quantization
        if tensor.dtype == "int8" and (quantization is None or quantization.per_channel):
            raise ModelError(
                f"the int8 {what} of {source.path} has no scale of its own, expected one; "
                "quantize the model again"
            )
    classes = source.output.shape[-1] if source.output.shape else 1
    if source.labels and len(source.labels) != classes:
        raise ModelError(
            f"{source.path} has {classes} outputs and {len(source.labels)} labels were given; "
            "give one label per output"
        )
