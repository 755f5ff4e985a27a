"""JAX, each piece one jitted function; results go to the memory of the ones before (donated)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.pieces.catalogue import BatchNorm, Convolution, Function, Piece, Product, Recurrent, Reduction, Update
from benchmarks.pieces.form import Form

NAME = "JAX"
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sin": jnp.sin, "cos": jnp.cos, "exp": jnp.exp, "log": jnp.log, "pow": jnp.power, "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid, "gelu": jax.nn.gelu, "sqrt": jnp.sqrt, "div": jnp.divide, "elu": jax.nn.elu,
    "softplus": jax.nn.softplus,
}  # fmt: skip
REDUCTIONS: dict[str, Callable[..., Any]] = {"mean": jnp.mean, "sum": jnp.sum, "max": jnp.max}
REDUCTIONS |= {"argmax": jnp.argmax, "softmax": jax.nn.softmax}
Results = Callable[..., Sequence[Any]]


def forms(piece: Piece) -> Mapping[str, Form]:
    """Each that could be the fastest."""
    given = piece.arrays()
    match piece:
        case Convolution():
            found = {"channels last": _form(_convolution(piece, "NHWC"), given)}
            x, filters, sent = given
            first = [np.ascontiguousarray(each.transpose(0, 3, 1, 2)) for each in (x, sent)]
            form = _form(_convolution(piece, "NCHW"), (first[0], filters, first[1]))
            found["channels first"] = Form(form.run, lambda: _channels_last(form.results(), filters.shape))
            return found
        case Update():
            return {"": _update(piece, *given)}
    return {"": _form(_function(piece), given)}


def _function(piece: Piece) -> Results:
    match piece:
        case Product():
            first, second = piece.turns
            return lambda a, b: [(a.T if first else a) @ (b.T if second else b)]
        case BatchNorm():
            return _batch_norm
        case Reduction(op, _, axes):
            return lambda x: [REDUCTIONS[op](x, axes[0] if op in ("argmax", "softmax") else axes)]
        case Function(op):
            return lambda *given: [FUNCTIONS[op](*given)]
        case Recurrent():
            return _recurrent(piece)
    raise NotImplementedError(piece)


def _form(function: Results, given: Sequence[np.ndarray]) -> Form:
    arrays = [jax.device_put(each) for each in given]
    jitted = jax.jit(lambda out, *given: function(*given), donate_argnums=0, keep_unused=True)
    last = [jax.jit(function)(*arrays)]

    def run(times: int) -> None:
        found = last.pop()
        for _ in range(times):
            found = jitted(found, *arrays)
        jax.block_until_ready(found)
        last.append(found)

    return Form(run, lambda: [np.asarray(each) for each in last[0]])


def _convolution(piece: Convolution, layout: str) -> Results:
    groups = piece.channels if piece.depthwise else 1

    def convolve(x: jax.Array, filters: jax.Array) -> jax.Array:
        if piece.depthwise:
            filters = filters.reshape(piece.size, piece.size, 1, -1)
        return jax.lax.conv_general_dilated(
            x, filters, (piece.stride,) * 2, [(piece.pad,) * 2] * 2,
            dimension_numbers=(layout, "HWIO", layout), feature_group_count=groups,
        )  # fmt: skip

    def train(x: jax.Array, filters: jax.Array, sent: jax.Array) -> list[Any]:
        if piece.first:
            y, back = jax.vjp(partial(convolve, x), filters)
            return [y, *back(sent)]
        y, back = jax.vjp(convolve, x, filters)
        to_images, to_filters = back(sent)
        return [y, to_filters, to_images]

    return train if piece.train else lambda x, filters, sent: [convolve(x, filters)]


def _channels_last(results: Sequence[np.ndarray], filters: tuple[int, ...]) -> list[np.ndarray]:
    return [each if each.shape == filters else each.transpose(0, 2, 3, 1) for each in results]


def _batch_norm(x: jax.Array, scale: jax.Array, shift: jax.Array, sent: jax.Array) -> list[Any]:
    """Also gives the batch's mean and variance, which the averages follow."""
    axes = tuple(range(x.ndim - 1))

    def normalized(x: jax.Array, scale: jax.Array, shift: jax.Array) -> tuple[jax.Array, Any]:
        mean = jnp.mean(x, axes)
        variance = jnp.mean(jnp.square(x - mean), axes)
        return (x - mean) * (jax.lax.rsqrt(variance + 1e-5) * scale) + shift, (mean, variance)

    y, back, found = jax.vjp(normalized, x, scale, shift, has_aux=True)
    return [y, *back(sent), *found]


def _recurrent(piece: Recurrent) -> Results:
    def last(weights: Sequence[jax.Array], x: jax.Array) -> jax.Array:
        step = (_lstm if piece.kind == "LSTM" else _gru)(weights, piece.inputs, piece.units)
        if piece.kind == "LSTM":
            inner, bias = weights[0][: piece.inputs], weights[1]
        else:
            inner, bias = weights[0], weights[2][0]
        zeros = jnp.zeros((len(x), piece.units))
        outer = jnp.swapaxes(x, 0, 1) @ inner + bias
        return jax.lax.scan(lambda carry, each: (step(carry, each), None), (zeros, zeros), outer)[0][0]

    def results(x: jax.Array, *given: jax.Array) -> list[Any]:
        *weights, sent = given
        if not piece.train:
            return [last(weights, x)]
        y, back = jax.vjp(lambda weights: last(weights, x), weights)
        return [y, *back(sent)[0]]

    return results


def _lstm(weights: Sequence[jax.Array], inputs: int, units: int) -> Callable[..., Any]:
    def step(carry: Any, outer: jax.Array) -> Any:
        hidden, cell = carry
        gates = outer + hidden @ weights[0][inputs:]
        let_in, keep, let_out = jnp.split(jax.nn.sigmoid(gates[:, : 3 * units]), 3, axis=1)
        cell = keep * cell + let_in * jnp.tanh(gates[:, 3 * units :])
        return let_out * jnp.tanh(cell), cell

    return step


def _gru(weights: Sequence[jax.Array], inputs: int, units: int) -> Callable[..., Any]:
    def step(carry: Any, outer: jax.Array) -> Any:
        hidden, _ = carry
        own = hidden @ weights[1] + weights[2][1]
        update, reset = jnp.split(jax.nn.sigmoid(outer[:, : 2 * units] + own[:, : 2 * units]), 2, axis=1)
        candidate = jnp.tanh(outer[:, 2 * units :] + reset * own[:, 2 * units :])
        hidden = candidate + update * (hidden - candidate)
        return hidden, hidden

    return step


def _update(piece: Update, w: np.ndarray, g: np.ndarray) -> Form:
    def step(state: Any, g: jax.Array) -> Any:
        w, m, v, count = state
        count += 1
        match piece.optimizer:
            case "sgd":
                return w - piece.rate * g, m, v, count
            case "momentum":
                m = 0.9 * m + g
                return w - piece.rate * m, m, v, count
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        scale = jnp.sqrt(1 - 0.999**count)
        rate, epsilon = piece.rate * scale / (1 - 0.9**count), 1e-8 * scale
        return w - rate * (m / (jnp.sqrt(v) + epsilon)), m, v, count

    jitted = jax.jit(step, donate_argnums=0)
    sent = jax.device_put(g)
    state = [jax.device_put((w, np.zeros_like(w), np.zeros_like(w), np.int32(0)))]

    def run(times: int) -> None:
        found = state.pop()
        for _ in range(times):
            found = jitted(found, sent)
        jax.block_until_ready(found)
        state.append(found)

    return Form(run, lambda: [np.asarray(state[0][0])])
