"""The gradients of a batch, of which each BN group adds its part, on whichever member of a team."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainers.team import Team


class Gradients:
    """The gradients of `parameters`, added up in float64: rounded to float32 only once, they are the same bits whatever
    the order in which groups come and the number of members that compute them."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = parameters
        self._totals: list[Tensor] = []

    def all(self) -> list[Tensor]:
        """Those of all parameters, as they are in `grad`; zeros are put where there is none."""
        for parameter in self._parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return [parameter.grad for parameter in self._parameters if parameter.grad is not None]

    def collect(self) -> None:
        """Add what the backward passes since the last call have left in `grad`, and set that to zero."""
        gradients = self.all()
        for total, gradient in zip(self._zeros(), gradients, strict=True):
            total.add_(gradient)  # of two types: one by one it is faster than together
        torch._foreach_zero_(gradients)

    def give_back(self, team: Team) -> None:
        """Leave in `grad` what every member has collected since the last call."""
        totals = self._zeros()
        if team.size > 1:
            _sum(totals, team)
        torch._foreach_copy_(self.all(), totals)
        torch._foreach_zero_(totals)

    def sum(self, team: Team) -> None:
        """Sum `grad` over the team as it is: of a batch of one group, which one member has computed."""
        if team.size > 1:
            _sum(self.all(), team)

    def _zeros(self) -> list[Tensor]:
        self._totals = self._totals or [torch.zeros_like(each, dtype=torch.float64) for each in self._parameters]
        return self._totals


def _sum(tensors: Sequence[Tensor], team: Team) -> None:
    # In one piece: one message to the others in place of hundreds.
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    team.sum(flat)
    for tensor, part in zip(tensors, torch.split(flat, [each.numel() for each in tensors]), strict=True):
        tensor.copy_(part.view(tensor.shape))
