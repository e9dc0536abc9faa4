"""One training in several processes, or on a GPU: each process takes its share of a batch, gradients are averaged.

`torchrun --standalone --nproc-per-node 2 -m bot.cli train …` starts them; without it there is one process.
(`accelerate launch --cpu` starts a single one, whatever number it is given.) All of them hold the same weights at every
step, so that each can tell the held-out score alone, and the first one reports and writes the release.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from nlu.types import InputError


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes that train together.

    Attributes:
        place: which of them this is, from 0.
        count: how many there are.
        device: what this one computes on.
    """

    place: int
    count: int
    device: torch.device

    @classmethod
    def join(cls) -> Processes:
        """Joins those that were launched together; alone where nothing was launched.

        Returns:
            The processes, on a GPU each where there are any.

        Raises:
            InputError: there are several and the package accelerate is not installed.
        """
        gpu = torch.cuda.is_available()
        if int(os.environ.get("WORLD_SIZE", "1")) <= 1:
            return cls(0, 1, torch.device("cuda" if gpu else "cpu"))
        try:
            from accelerate import PartialState
        except ImportError as error:
            raise InputError(
                "Training in several processes needs the package accelerate. Install it with "
                "`pip install 'frontdesk[train]'`."
            ) from error
        state = PartialState(cpu=not gpu)
        return cls(state.process_index, state.num_processes, state.device)

    @property
    def first(self) -> bool:
        """Whether this is the one that reports and writes."""
        return self.place == 0

    def share(self, rows: Sequence[int]) -> list[int]:
        """This process's rows of a batch; all of them where there are not enough for everyone.

        Args:
            rows: of the whole batch.

        Returns:
            Every n-th of them.
        """
        return list(rows[self.place :: self.count] if len(rows) >= self.count else rows)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gives every process the mean of all gradients.

        Args:
            parameters: what is trained; one without a gradient here counts as zero.
        """
        if self.count == 1:
            return
        from accelerate.utils import reduce

        held = list(parameters)
        flat = torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in held])
        mean = reduce(flat, reduction="mean")
        for parameter, part in zip(held, mean.split([p.numel() for p in held]), strict=True):
            parameter.grad = part.view_as(parameter)

    def equalise(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gives every process the first one's weights.

        Args:
            parameters: what is trained.
        """
        if self.count == 1:
            return
        from accelerate.utils import broadcast

        with torch.no_grad():
            for parameter in parameters:
                parameter.copy_(broadcast(parameter.detach().clone()))

    def wait(self) -> None:
        """Goes on once every process is here."""
        if self.count > 1:
            from accelerate import PartialState

            PartialState().wait_for_everyone()
