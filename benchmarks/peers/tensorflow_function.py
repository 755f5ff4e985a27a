"""TensorFlow in its best form for small networks: many steps in one tf.function, with the fused update of its Adam."""

from __future__ import annotations

import tensorflow as tf

from benchmarks.workloads import BATCHES, LSTM, Conv, Dense, Dropout, Pool, Workload

NAME = "TensorFlow tf.function"
ACTIVATIONS = {"tanh": tf.tanh, "relu": tf.nn.relu, "linear": tf.identity}

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


class Runner:
    """The loop over steps is a tf.while_loop inside the function."""

    name = NAME

    def __init__(self, work: Workload, device: str = "cpu:0") -> None:
        self._work = work
        self._xs, self._ys = map(tf.constant, work.data())
        self._params = [tf.Variable(each) for pair in work.first_weights() for each in pair]
        self._m = [tf.Variable(tf.zeros_like(each)) for each in self._params]
        self._v = [tf.Variable(tf.zeros_like(each)) for each in self._params]
        self._count = tf.Variable(0)
        self._steps = tf.function(self._many)
        self._loss = tf.function(self._mean_loss)

    def _many(self, steps: tf.Tensor) -> None:
        for _ in tf.range(steps):
            self._step()

    def _step(self) -> None:
        at = self._count % BATCHES
        with tf.GradientTape() as tape:
            loss = self._mean_loss(self._xs[at], self._ys[at])
        grads = tape.gradient(loss, self._params)
        if self._work.l2:
            pairs = zip(grads, self._params, strict=True)
            grads = [g + self._work.l2 * p if len(p.shape) > 1 else g for g, p in pairs]
        self._count.assign_add(1)
        if self._work.optimizer == "sgd":
            for p, g in zip(self._params, grads, strict=True):
                tf.raw_ops.ResourceApplyGradientDescent(var=p.handle, alpha=self._work.rate, delta=g)
            return
        power1, power2 = (tf.pow(beta, tf.cast(self._count, tf.float32)) for beta in (0.9, 0.999))
        shared = {"beta1_power": power1, "beta2_power": power2, "lr": self._work.rate, "beta1": 0.9, "beta2": 0.999}
        shared["epsilon"] = 1e-8 * tf.sqrt(1 - power2)  # this op takes the one outside the correction
        for p, m, v, g in zip(self._params, self._m, self._v, grads, strict=True):
            tf.raw_ops.ResourceApplyAdam(var=p.handle, m=m.handle, v=v.handle, grad=g, **shared)

    @tf.autograph.experimental.do_not_convert
    def _mean_loss(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        weights = iter(zip(self._params[::2], self._params[1::2], strict=True))
        for layer in self._work.layers:
            match layer:
                case Dense(_, activation):
                    w, b = next(weights)
                    x = ACTIVATIONS[activation](tf.reshape(x, (x.shape[0], -1)) @ w + b)
                case Conv():
                    w, b = next(weights)
                    x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, w, 1, "SAME"), b))
                case Pool():
                    x = tf.nn.max_pool2d(x, 2, 2, "VALID")
                case Dropout(rate):
                    x = tf.nn.dropout(x, rate)
                case LSTM(units):
                    x = _last_hidden(x, units, *next(weights))
        if self._work.classes:
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, x))
        return 0.5 * tf.reduce_mean(tf.square(x - y))

    def run(self, steps: int) -> None:
        self._steps(tf.constant(steps))

    def loss(self) -> float:
        return float(sum(self._loss(x, y) for x, y in zip(self._xs, self._ys, strict=True)) / BATCHES)


def _last_hidden(x: tf.Tensor, units: int, w: tf.Variable, b: tf.Variable) -> tf.Tensor:
    """The inputs' part of all steps' gates in one product; the steps in time are written out."""
    inputs = x.shape[2]
    recurrent = w[inputs:]
    hidden = cell = tf.zeros((x.shape[0], units))
    for outer in tf.unstack(tf.tensordot(x, w[:inputs], 1) + b, axis=1):
        gates = outer + hidden @ recurrent
        let_in, keep, let_out = tf.split(tf.sigmoid(gates[:, : 3 * units]), 3, axis=1)
        cell = keep * cell + let_in * tf.tanh(gates[:, 3 * units :])
        hidden = let_out * tf.tanh(cell)
    return hidden
