"""JAX in its best form for small networks: many steps in one compiled lax.scan, data on the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.workloads import BATCHES, LSTM, Conv, Dense, Dropout, Pool, Unsupported, Workload

NAME = "JAX lax.scan"
Convolve = Callable[[jax.Array, jax.Array], jax.Array]
ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu, "linear": lambda x: x}


class Runner:
    """One jitted function that scans a chunk of steps; what is left over goes through a second, of one step.

    On a CPU, XLA's convolution is about ten times slower inside a loop: there :func:`columns` is the best form.
    """

    name = NAME
    scans = True

    def __init__(self, work: Workload, device: str = "cpu:0") -> None:
        self._work = work
        if device != "cpu:0":
            jax.config.update("jax_default_matmul_precision", "float32")  # else it rounds products, unlike the others
        self._convolve: Convolve = columns if self.scans and device == "cpu:0" else convolution
        params = work.first_weights()
        m, v = jax.tree.map(np.zeros_like, params), jax.tree.map(np.zeros_like, params)
        # committed to the device: what is compiled for them runs there
        self._data = jax.device_put(work.data(), _device(device))
        key = jax.random.key(7, impl="unsafe_rbg")  # the quickest random numbers
        self._state: Any = jax.device_put((params, m, v, np.int32(0), key), _device(device))

        def chunk(state: Any, data: Any) -> Any:
            return jax.lax.scan(lambda state, _: (self._step(state, data), None), state, None, work.chunk)[0]

        self._chunk = jax.jit(chunk, donate_argnums=0)
        self._single = jax.jit(self._step, donate_argnums=0)
        self._mean_loss = jax.jit(lambda params, batch: self._loss(params, batch, None))

    def _loss(self, *values: Any) -> jax.Array:
        return loss(self._work, self._convolve, *values)

    def _step(self, state: Any, data: Any) -> Any:
        params, m, v, count, key = state
        batch = [each[count % BATCHES] for each in data]
        grads = jax.grad(self._loss)(params, batch, jax.random.fold_in(key, count))
        if self._work.l2:
            grads = jax.tree.map(lambda g, p: g + self._work.l2 * p if p.ndim > 1 else g, grads, params)
        count += 1
        rate, epsilon = self._work.rate, 1e-8
        if self._work.optimizer == "adam":
            m = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, m, grads)
            v = jax.tree.map(lambda a, g: 0.999 * a + 0.001 * g * g, v, grads)
            scale = jnp.sqrt(1 - 0.999**count)  # of both roots: the single numbers bear it, not the vectors
            rate, epsilon = rate * scale / (1 - 0.9**count), epsilon * scale
            grads = jax.tree.map(lambda a, b: a / (jnp.sqrt(b) + epsilon), m, v)
        return jax.tree.map(lambda p, g: p - rate * g, params, grads), m, v, count, key

    def run(self, steps: int) -> None:
        for _ in range(steps // self._work.chunk):
            self._state = self._chunk(self._state, self._data)
        for _ in range(steps % self._work.chunk):
            self._state = self._single(self._state, self._data)
        jax.block_until_ready(self._state)

    def loss(self) -> float:
        return float(np.mean([self._mean_loss(self._state[0], batch) for batch in zip(*self._data, strict=True)]))


def convolution(x: jax.Array, w: jax.Array) -> jax.Array:
    """JAX's own."""
    return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def columns(x: jax.Array, w: jax.Array) -> jax.Array:
    """The same as one matrix product of all windows."""
    n, height, width, _ = x.shape
    size, half = len(w), len(w) // 2
    padded = jnp.pad(x, ((0, 0), (half, half), (half, half), (0, 0)))
    windows = [padded[:, i : i + height, j : j + width] for i in range(size) for j in range(size)]
    found = jnp.concatenate(windows, axis=-1).reshape(n * height * width, -1) @ w.reshape(-1, w.shape[-1])
    return found.reshape(n, height, width, -1)


def loss(work: Workload, convolve: Convolve, params: Any, batch: Any, key: Any) -> jax.Array:
    """The mean loss of a batch (x, y)."""
    x, y = batch
    weights = iter(params)
    for layer in work.layers:
        match layer:
            case Dense(_, activation):
                w, b = next(weights)
                x = ACTIVATIONS[activation](x.reshape(len(x), -1) @ w + b)
            case Conv():
                w, b = next(weights)
                x = jax.nn.relu(convolve(x, w) + b)
            case Pool():
                n, rows, columns, channels = x.shape
                x = x.reshape(n, rows // 2, 2, columns // 2, 2, channels).max((2, 4))
            case Dropout(rate):
                x = jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)
            case LSTM(units):
                x = _last_hidden(x, units, *next(weights))
    if work.classes:
        return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1).mean()
    return 0.5 * jnp.mean((x - y) ** 2)


def _last_hidden(x: jax.Array, units: int, w: jax.Array, b: jax.Array) -> jax.Array:
    """The inputs' part of all steps' gates in one product, then a scan over time."""
    inputs = x.shape[-1]
    recurrent = w[inputs:]

    def step(carry: Any, outer: jax.Array) -> tuple[Any, None]:
        hidden, cell = carry
        gates = outer + hidden @ recurrent
        let_in, keep, let_out = jnp.split(jax.nn.sigmoid(gates[:, : 3 * units]), 3, axis=1)
        cell = keep * cell + let_in * jnp.tanh(gates[:, 3 * units :])
        return (let_out * jnp.tanh(cell), cell), None

    zeros = jnp.zeros((len(x), units))
    return jax.lax.scan(step, (zeros, zeros), jnp.swapaxes(x, 0, 1) @ w[:inputs] + b)[0][0]


def _device(name: str) -> Any:
    kind, _, index = name.partition(":")
    try:
        return jax.devices(kind)[int(index)]
    except (RuntimeError, IndexError) as error:
        raise Unsupported(f"this JAX has no {name}: {error}") from None
