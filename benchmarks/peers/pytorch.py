"""PyTorch, eager: the forms that were fastest (channels last, fused optimiser, batches on hand as tensors)."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from benchmarks.workloads import BATCHES, LSTM, Conv, Dense, Dropout, Pool, Unsupported, Workload

NAME = "PyTorch eager"
ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "linear": nn.Identity}


class Runner:
    """nn.Sequential, a fused torch.optim optimiser, zero_grad(set_to_none=True)."""

    name = NAME

    def __init__(self, work: Workload, device: str = "cpu:0") -> None:
        torch.set_num_threads(1)
        if device != "cpu:0" and not torch.cuda.is_available():
            raise Unsupported("this PyTorch has no GPU")
        torch.backends.cudnn.allow_tf32 = False  # full float32 on a GPU too
        self._device = torch.device(device.replace("gpu", "cuda").replace("cpu:0", "cpu"))
        xs, ys = (torch.from_numpy(each) for each in work.data())
        if xs.ndim == 5:
            xs = xs.permute(0, 1, 4, 2, 3)  # channels second, last in memory
        self._xs, self._ys = xs.to(self._device), (ys.long() if work.classes else ys).to(self._device)
        self._net = network(work).to(self._device)
        kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[work.optimizer]
        trained = [each for each in self._net.parameters() if each.requires_grad]
        groups = [
            {"params": [each for each in trained if each.ndim > 1], "weight_decay": work.l2},
            {"params": [each for each in trained if each.ndim == 1]},
        ]
        self._optimizer = kind(groups if work.l2 else trained, lr=work.rate, fused=True)
        self._criterion = nn.CrossEntropyLoss() if work.classes else _half_squared_error
        self._at = 0

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self._step(self._xs[self._at], self._ys[self._at])
            self._at = (self._at + 1) % BATCHES
        if self._device.type == "cuda":
            torch.cuda.synchronize()

    def _step(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        self._forward(x, y).backward()
        self._optimizer.step()

    def _forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self._criterion(self._net(x), y)

    @torch.no_grad()
    def loss(self) -> float:
        losses = [self._forward(x, y) for x, y in zip(self._xs, self._ys, strict=True)]
        return float(torch.stack(losses).mean())


def network(work: Workload) -> nn.Sequential:
    """The workload's network with its first weights."""
    weights = iter(work.first_weights())
    modules: list[nn.Module] = []
    image = len(work.input) == 3
    for layer in work.layers:
        match layer:
            case Dense(_, activation):
                if image:
                    modules.append(_FlattenChannelsLast())
                    image = False
                w, b = next(weights)
                modules += [_filled(nn.Linear(*w.shape), weight=w.T, bias=b), ACTIVATIONS[activation]()]
            case Conv(filters, size):
                w, b = next(weights)
                conv = _filled(
                    nn.Conv2d(w.shape[2], filters, size, padding="same"), weight=w.transpose(3, 2, 0, 1), bias=b
                )
                modules += [conv.to(memory_format=torch.channels_last), nn.ReLU()]
            case Pool():
                modules.append(nn.MaxPool2d(2))
            case Dropout(rate):
                modules.append(nn.Dropout(rate))
            case LSTM(units):
                modules.append(_LastHidden(units, *next(weights)))
    return nn.Sequential(*modules)


class _FlattenChannelsLast(nn.Module):
    """(batch, channels, rows, columns), channels last in memory, to (batch, numbers): a view."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)


class _LastHidden(nn.Module):
    """nn.LSTM has two biases that are added; one stays 0 and isn't trained, as Adam would move both."""

    def __init__(self, units: int, w: np.ndarray, b: np.ndarray) -> None:
        super().__init__()
        gates = [0, 1, 3, 2]  # input, forget, output, candidate -> input, forget, candidate, output
        w, b = (each.reshape(-1, 4, units)[:, gates].reshape(-1, 4 * units) for each in (w, b))
        inputs = len(w) - units
        self.lstm = nn.LSTM(inputs, units, batch_first=True)
        parts = {"weight_ih_l0": w[:inputs].T, "weight_hh_l0": w[inputs:].T, "bias_ih_l0": b[0], "bias_hh_l0": 0 * b[0]}
        _filled(self.lstm, **parts)
        self.lstm.bias_hh_l0.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(x)[1][0][0]


@torch.no_grad()
def _filled(module: nn.Module, **values: np.ndarray) -> nn.Module:
    for name, value in values.items():
        getattr(module, name).copy_(torch.from_numpy(np.ascontiguousarray(value)))
    return module


def _half_squared_error(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return 0.5 * (output - target).square().mean()
