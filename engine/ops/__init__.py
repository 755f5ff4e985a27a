"""Every op's one declaration.  Importing this package fills the registry."""

import inspect

from engine.errors import doors
from engine.graph import whole
from engine.ops.array import (
    broadcast_like,
    cast,
    concat,
    copy,
    count,
    expand,
    pack,
    reshape,
    slice_,
    sum_like,
    transpose,
)
from engine.ops.composed import (
    argmin,
    assign_add,
    assign_sub,
    clip,
    clip_by_norm,
    stack,
    stop_gradient,
    unstack,
)
from engine.ops.conv import conv2d, conv2d_filters, conv2d_input
from engine.ops.depthwise import depthwise_conv2d
from engine.ops.layout import after, broadcast_to, pad, split, squeeze
from engine.ops.lookup import gather, one_hot, scatter_add
from engine.ops.math import (
    abs_,
    add,
    argmax,
    bounded,
    cos,
    div,
    equal,
    exp,
    floor,
    greater,
    greater_equal,
    is_nan,
    less,
    less_equal,
    log,
    logical_and,
    logical_not,
    logical_or,
    max_,
    maximum,
    mean,
    min_,
    minimum,
    mul,
    neg,
    not_equal,
    power,
    prod,
    sign,
    sin,
    sqrt,
    square,
    step,
    sub,
    sum_,
    tanh,
    where,
)
from engine.ops.matrix import affine, matmul
from engine.ops.nn import (
    cross_entropy,
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    softmax,
    softplus,
)
from engine.ops.norm import Averages, batch_norm, moments, normalize
from engine.ops.pool import avg_pool, global_mean, max_pool
from engine.ops.random import dropout, next_state, random_normal, random_state, random_uniform
from engine.ops.recurrent import gru_step, lstm_step
from engine.ops.state import assign, flat, group
from engine.tensor import METHODS

for _name, _made in list(globals().items()):
    if inspect.isfunction(_made) and _made is not whole:  # made of several operations: all of them, or none
        globals()[_name] = whole(_made)

_METHODS = """
    reshape transpose squeeze expand broadcast_to cast sum mean max min prod argmax argmin abs sign exp log sqrt square
    sin cos tanh sigmoid relu softmax log_softmax maximum minimum clip equal not_equal where logical_and logical_or
    logical_not stop_gradient
"""
METHODS |= {name: globals().get(name) or globals()[f"{name}_"] for name in _METHODS.split()} | {"dot": matmul}
__getattr__, __dir__ = doors("ops")
