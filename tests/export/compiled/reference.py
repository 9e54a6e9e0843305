# SPDX-License-Identifier: Apache-2.0
"""Reference outputs, from a process of its own: a model that TFLM dislikes ends its process."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENGINES = ("litert", "tflm")


def _litert(data: bytes, inputs: NDArray[Any]) -> NDArray[Any]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    sink = interpreter.get_output_details()[0]["index"]
    outputs = []
    for values in inputs:
        interpreter.set_tensor(source, values[np.newaxis])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(sink).copy().reshape(-1))
    return np.array(outputs)


def _tflm(data: bytes, inputs: NDArray[Any]) -> NDArray[Any]:
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(data, arena_size=1 << 22)
    outputs = []
    for values in inputs:
        interpreter.set_input(values[np.newaxis], 0)
        interpreter.invoke()
        outputs.append(np.array(interpreter.get_output(0)).reshape(-1))
    return np.array(outputs)


def _work(connection: Connection) -> None:
    run = {"litert": _litert, "tflm": _tflm}
    while True:
        engine, data, inputs = connection.recv()
        try:
            connection.send(run[engine](data, inputs))
        except (RuntimeError, ValueError) as error:
            connection.send(str(error))


class Reference:
    """Runs models in a child process and starts a new one where a model ended it."""

    def __init__(self) -> None:
        self._process: Any = None
        self._connection: Any = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other,), daemon=True)
        self._process.start()
        other.close()

    def run(self, engine: str, data: bytes, inputs: NDArray[Any]) -> NDArray[Any] | str:
        """Outputs [image][element], or in words why there are none."""
        if self._process is None:
            self._start()
        try:
            self._connection.send((engine, data, inputs))
            answer: NDArray[Any] | str = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode
            self._process = None
            return f"the process ended with {code}"
        return answer

    def close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.join()
            self._process = None
