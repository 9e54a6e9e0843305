# SPDX-License-Identifier: Apache-2.0
"""Everything that decides what a training run does; stored whole in the manifest."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgecxr.errors import UsageError
from edgecxr.training.architectures.spec import Activation
from edgecxr.training.augment import Augmentation


class TrainingSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: str = "mobilenet_v1"
    width_multiplier: float = Field(0.25, gt=0, le=4)
    activation: Activation = "default"
    head_units: int = Field(0, ge=0, le=4096, description="neurons of a hidden layer; 0 is none")
    l2: float = Field(0.0, ge=0, description="penalty on kernels, in the loss")
    freeze: bool = Field(False, description="only the head learns")
    epochs: int = Field(60, ge=1)
    batch: int = Field(32, ge=2)
    learning_rate: float = Field(0.003, gt=0)
    schedule: Literal["cosine", "constant", "plateau"] = "cosine"
    plateau_factor: float = Field(0.3, gt=0, lt=1)
    plateau_patience: int = Field(3, ge=1, description="epochs without a better validation loss")
    warmup_epochs: float = Field(2.0, ge=0)
    weight_decay: float = Field(0.005, ge=0)
    dropout: float = Field(0.1, ge=0, lt=1)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    augmentation: Augmentation = Augmentation()
    mixup: float = Field(0.0, ge=0, le=10, description="alpha of Beta(alpha, alpha); 0 is off")
    average_epochs: float = Field(1.0, ge=1, description="epochs that weights are averaged over")
    teacher_share: float = Field(0.5, ge=0, le=1, description="of the targets, beside the labels")
    temperature: float = Field(1.0, ge=1, le=20, description="softens what teachers say")
    class_balance: Literal["weights", "none"] = "weights"
    validation_share: float = Field(0.15, ge=0, lt=0.9)
    select: Literal["best", "last"] = "best"
    early_stopping: int = Field(0, ge=0, description="epochs without improvement; 0 is off")
    seed: int = Field(1, ge=0, lt=2**31)
    deterministic: bool = False
    threads: int = Field(1, ge=0, description="0: TensorFlow's choice; other threads, other bits")

    @classmethod
    def checked(cls, **values: Any) -> TrainingSettings:
        """The settings with these values.

        Raises:
            UsageError: naming the first value that is out of its range.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = "--" + str(first["loc"][-1]).replace("_", "-")
            raise UsageError(f"{name} {first['input']}: {first['msg']}") from error
