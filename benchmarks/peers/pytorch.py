"""PyTorch, eager: the form that was fastest (fused optimiser, batches on hand as tensors)."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.workloads import BATCHES, Workload

NAME = "PyTorch eager"


class Runner:
    """nn.Sequential, a fused torch.optim optimiser, zero_grad(set_to_none=True)."""

    name = NAME

    def __init__(self, work: Workload) -> None:
        torch.set_num_threads(1)
        xs, ys = work.data()
        self._xs, self._ys = torch.from_numpy(xs), torch.from_numpy(ys)
        if work.classes:
            self._ys = self._ys.long()
        layers: list[nn.Module] = []
        for at, (weights, bias) in enumerate(work.first_weights()):
            layer = nn.Linear(*weights.shape)
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(weights.T))
                layer.bias.copy_(torch.from_numpy(bias))
            layers.append(layer)
            if at < len(work.sizes) - 2:
                layers.append({"tanh": nn.Tanh, "relu": nn.ReLU, "linear": nn.Identity}[work.activation]())
        if not work.classes:
            layers.append(nn.Tanh())
        self._net = nn.Sequential(*layers)
        kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[work.optimizer]
        self._optimizer = kind(self._net.parameters(), lr=work.rate, fused=True)
        self._criterion = nn.CrossEntropyLoss() if work.classes else _half_squared_error
        self._at = 0

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self._optimizer.zero_grad(set_to_none=True)
            self._criterion(self._net(self._xs[self._at]), self._ys[self._at]).backward()
            self._optimizer.step()
            self._at = (self._at + 1) % BATCHES

    @torch.no_grad()
    def loss(self) -> float:
        losses = [self._criterion(self._net(x), y) for x, y in zip(self._xs, self._ys, strict=True)]
        return float(torch.stack(losses).mean())


def _half_squared_error(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return 0.5 * (output - target).square().mean()
