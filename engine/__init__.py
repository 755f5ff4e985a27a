"""Layerlab's tensor engine: graph -> plan -> executor.

>>> import engine as en
>>> with en.Graph() as graph:
...     x = en.placeholder((None, 2), name="x")
...     y = en.layers.Dense(1, "tanh", name="output")(x)
>>> session = en.Session(graph, seed=1)
>>> session.run(y, {x: [[0.0, 0.0]]}).tolist()
[[0.0]]
"""

from engine import checkpoint, feed, init, layers, losses, ops, optim, schedules, theano, trace
from engine.devices import choose, gpu_problem
from engine.errors import (
    CheckpointError,
    DeviceError,
    DtypeError,
    EngineError,
    FeedError,
    GradientError,
    GraphGrowsWarning,
    NoSuchName,
    ShapeError,
    doors,
)
from engine.grad import gradients
from engine.graph import Graph, Tensor, constant, device, name_scope, placeholder, variable
from engine.session import Session

__getattr__ = doors()[0]
