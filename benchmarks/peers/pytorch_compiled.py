"""PyTorch, compiled in the form that was fastest: loss, gradients and update as one graph of torch.compile."""

from __future__ import annotations

from typing import Any

import torch
import torch._inductor.config

from benchmarks.peers import pytorch
from benchmarks.workloads import LSTM, Unsupported, Workload

NAME = "PyTorch compiled"
Tensors = dict[str, torch.Tensor]


class Runner(pytorch.Runner):
    """Where only the loss is compiled, the overhead of autograd and the optimiser stays: that was no faster than eager.

    The mode "reduce-overhead" made no difference on a CPU.
    """

    name = NAME

    def __init__(self, work: Workload, device: str = "cpu:0") -> None:
        if any(isinstance(layer, LSTM) for layer in work.layers):
            raise Unsupported("torch.compile doesn't take the gradient of nn.LSTM into its graph")
        super().__init__(work, device)
        torch._inductor.config.cpp_wrapper = True  # calls from C++ instead of Python: quicker
        torch._dynamo.config.cache_size_limit = 100  # graphs of one piece of code: each workload has its own
        self._params = {name: each.detach() for name, each in self._net.named_parameters()}
        self._m, self._v = ({name: torch.zeros_like(p) for name, p in self._params.items()} for _ in range(2))
        self._count = torch.zeros((), device=self._device)
        self._update = {"sgd": self._sgd, "adam": self._adam}[work.optimizer]
        self._rate, self._l2 = work.rate, work.l2
        self._whole = torch.compile(self._trained, fullgraph=True, dynamic=False)

    @torch.no_grad()
    def _step(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self._whole(self._params, (self._m, self._v, self._count), x, y)

    def _trained(self, params: Tensors, state: Any, x: torch.Tensor, y: torch.Tensor) -> None:
        def loss(params: Tensors) -> torch.Tensor:
            return self._criterion(torch.func.functional_call(self._net, params, x), y)

        grads = torch.func.grad(loss)(params)
        if self._l2:
            grads = {name: g + self._l2 * params[name] if g.ndim > 1 else g for name, g in grads.items()}
        self._update(params, grads, *state)

    def _sgd(self, params: Tensors, grads: Tensors, *_: Any) -> None:
        for name, p in params.items():
            p.sub_(grads[name], alpha=self._rate)

    def _adam(self, params: Tensors, grads: Tensors, m: Tensors, v: Tensors, count: torch.Tensor) -> None:
        count.add_(1)
        scale = torch.sqrt(1 - 0.999**count)
        rate, epsilon = self._rate * scale / (1 - 0.9**count), 1e-8 * scale
        for name, p in params.items():
            m[name].mul_(0.9).add_(grads[name], alpha=0.1)
            v[name].mul_(0.999).addcmul_(grads[name], grads[name], value=0.001)
            p.sub_(rate * m[name] / (v[name].sqrt() + epsilon))
