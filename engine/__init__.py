"""Layerlab's tensor engine: graph -> plan -> executor.

>>> import engine as en
>>> with en.Graph() as graph:
...     x = en.placeholder((None, 2), name="x")
...     y = en.layers.Dense(1, "tanh", name="output")(x)
>>> session = en.Session(graph, seed=1)
>>> session.run(y, {x: [[0.0, 0.0]]}).tolist()
[[0.0]]
"""

from typing import NoReturn

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
    user_source,
)
from engine.grad import gradients
from engine.graph import Graph, Tensor, constant, device, name_scope, placeholder, variable
from engine.session import Session

_WORDS = {  # of other libraries
    "Variable": "en.variable(first_value, name=...) is one",
    "global_variables_initializer": "variables have their first values from the start; session.reset() puts them back",
    "train": "en.optim has the optimisers",
    "nn": "en.ops and en.layers have what it holds",
}


def __getattr__(name: str) -> NoReturn:
    places = ("ops", "layers", "losses", "optim", "init", "schedules")
    found = [f"en.{place}.{name} is what is meant" for place in places if name in vars(globals()[place])]
    why = _WORDS.get(name) or next(iter(found), None)
    raise NoSuchName(f"engine has no {name}{f'; {why}' if why else ''} ({user_source()})")
