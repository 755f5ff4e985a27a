"""Every op's one declaration.  Importing this package fills the registry."""

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
