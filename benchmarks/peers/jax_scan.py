"""JAX in its best form: many steps in one compiled lax.scan, data on the device."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.workloads import BATCHES, Workload

NAME = "JAX lax.scan"
CHUNK = 100  # steps a compiled call


class Runner:
    """One jitted function that scans :data:`CHUNK` steps; what is left over goes through a second, of one step."""

    name = NAME

    def __init__(self, work: Workload) -> None:
        self._xs, self._ys = map(jnp.asarray, work.data())
        self._work = work
        params = [(jnp.asarray(w), jnp.asarray(b)) for w, b in work.first_weights()]
        m, v = jax.tree.map(jnp.zeros_like, params), jax.tree.map(jnp.zeros_like, params)
        self._state: Any = (params, m, v, jnp.zeros((), jnp.int32))
        self._chunk = jax.jit(lambda state: jax.lax.scan(self._step, state, None, CHUNK)[0], donate_argnums=0)
        self._single = jax.jit(lambda state: self._step(state, None)[0], donate_argnums=0)
        self._mean_loss = jax.jit(jax.vmap(self._loss, in_axes=(None, 0, 0)))

    def _loss(self, params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        act = {"tanh": jnp.tanh, "relu": jax.nn.relu, "linear": lambda v: v}[self._work.activation]
        for weights, bias in params[:-1]:
            x = act(x @ weights + bias)
        out = x @ params[-1][0] + params[-1][1]
        if self._work.classes:
            return -jnp.take_along_axis(jax.nn.log_softmax(out), y[:, None], 1).mean()
        return 0.5 * jnp.mean((jnp.tanh(out) - y) ** 2)

    def _step(self, state: Any, _: None) -> tuple[Any, None]:
        params, m, v, count = state
        at = count % BATCHES
        grads = jax.grad(self._loss)(params, self._xs[at], self._ys[at])
        count += 1
        rate = self._work.rate
        if self._work.optimizer == "adam":
            m = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, m, grads)
            v = jax.tree.map(lambda a, g: 0.999 * a + 0.001 * g * g, v, grads)
            rate = rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
            grads = jax.tree.map(lambda a, b: a / (jnp.sqrt(b) + 1e-8), m, v)
        params = jax.tree.map(lambda p, g: p - rate * g, params, grads)
        return (params, m, v, count), None

    def run(self, steps: int) -> None:
        for _ in range(steps // CHUNK):
            self._state = self._chunk(self._state)
        for _ in range(steps % CHUNK):
            self._state = self._single(self._state)
        jax.block_until_ready(self._state)

    def loss(self) -> float:
        return float(np.mean(self._mean_loss(self._state[0], self._xs, self._ys)))
