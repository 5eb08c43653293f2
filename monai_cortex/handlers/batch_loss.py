"""The loss of a step of several processes."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from ignite.engine import Engine
from monai.engines.utils import IterationEvents
from monai.utils import CommonKeys
from torch import Tensor

from monai_cortex.data import process_rank

__all__ = ["BatchLoss"]


class BatchLoss:
    """Report the whole batch's loss where several processes train together, not the first process' part of it.

    The loss in the output of MONAI's trainers, and the terms that a loss function keeps in ``latest``, become their
    means over the processes, after the backward pass and before anything reads them. One process is left as it is.
    """

    def attach(self, engine: Engine) -> None:
        """Act after each backward pass, in all processes."""
        if process_rank()[1] > 1:
            engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        terms: dict[str, Tensor] = getattr(engine.loss_function, "latest", {})
        values = [value.detach().float() for value in (engine.state.output[CommonKeys.LOSS], *terms.values())]
        shared = torch.stack(values)
        dist.all_reduce(shared)
        loss, *means = (shared / process_rank()[1]).unbind()
        engine.state.output[CommonKeys.LOSS] = loss
        terms.update(zip(terms, means, strict=True))
