# SPDX-License-Identifier: Apache-2.0
"""Starting TensorFlow: once, quietly, without looking for a GPU unless there is one."""

from __future__ import annotations

import logging
import os
import warnings

from edgecxr.optional import require


def start_tensorflow(seed: int, *, deterministic: bool = False, threads: int = 0) -> None:
    """Import TensorFlow and seed Python, numpy and TensorFlow.

    Args:
        threads: within and between ops; 0: as TensorFlow chooses. It counts for the first
            computation of a process and cannot be changed after it.

    Raises:
        MissingPackageError: if tensorflow is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", module=r"(tensorflow|keras)\b")
    require("tensorflow", extra="train")
    logging.getLogger("absl").setLevel(logging.ERROR)
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    _limit_threads(threads)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def _limit_threads(threads: int) -> None:
    from tensorflow import config

    # TensorFlow refuses to hear the same number again once it has started.
    if threads and config.threading.get_intra_op_parallelism_threads() != threads:
        config.threading.set_intra_op_parallelism_threads(threads)
        config.threading.set_inter_op_parallelism_threads(threads)


def tool_versions() -> dict[str, str]:
    """Versions of what made the model, for the manifest."""
    import platform

    import keras
    import numpy
    import tensorflow as tf

    from edgecxr import __version__

    return {
        "edgecxr": __version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": numpy.__version__,
    }
