"""Other libraries' words, and what is said here: one table for modules, tensors, optimisers and settings alike."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import Any

_PLACES = ("ops", "layers", "losses", "optim", "init", "schedules")
_GRADIENTS = "en.gradients(loss, [x]) makes gradients, an optimiser's minimize(loss) a step"
_VALUE = "it has no value yet; session.run(x) gives it"
_TYPE = 'a type is said by its name, "float32"'
_FULL = "en.ops.broadcast_to(en.constant(0.0), shape=(2, 3)) is full of a number"
_BINARY = "en.losses.softmax_cross_entropy of two classes is the same loss"
_VARIABLES = "graph.variables has all variables"
_FIRST = "variables have their first values from the start; session.reset() puts them back"
_ENTROPY = "en.losses.softmax_cross_entropy"
_SPREAD = "en.ops.mean(en.ops.square(x - x.mean())) is the variance, its en.ops.sqrt the standard deviation"
_DRAWN = (
    "numbers are drawn from a state, in a tensor's shape, and anew in each run if it moves on: "
    "{0}(next_state(random_state()), constant(np.zeros((2, 3), 'f4')))"
)

# A name's own case and its underscores don't count, nor "Optimizer", "Loss" or "Layer" at its end.
_NAMES = {
    "dot": "en.ops.matmul", "mm": "en.ops.matmul", "bmm": "en.ops.matmul", "pow": "en.ops.power",
    "multiply": "en.ops.mul", "subtract": "en.ops.sub", "divide": "en.ops.div", "truediv": "en.ops.div",
    "negative": "en.ops.neg", "reducesum": "en.ops.sum_", "reducemean": "en.ops.mean", "reducemax": "en.ops.max_",
    "reducemin": "en.ops.min_", "reduceprod": "en.ops.prod", "concatenate": "en.ops.concat", "cat": "en.ops.concat",
    "clipbyvalue": "en.ops.clip", "clamp": "en.ops.clip", "expanddims": "en.ops.expand", "unsqueeze": "en.ops.expand",
    "take": "en.ops.gather", "embeddinglookup": "en.ops.gather", "select": "en.ops.where",
    "softmaxcrossentropywithlogits": "en.ops.cross_entropy", "permute": "en.ops.transpose",
    "sparsesoftmaxcrossentropywithlogits": "en.ops.cross_entropy", "identity": "en.ops.copy",
    "detach": "en.ops.stop_gradient", "eq": "en.ops.equal", "gt": "en.ops.greater", "lt": "en.ops.less",
    "ge": "en.ops.greater_equal", "le": "en.ops.less_equal", "linear": "en.layers.Dense",
    "batchnorm1d": "en.layers.BatchNorm", "batchnorm2d": "en.layers.BatchNorm",
    "batchnormalization": "en.layers.BatchNorm", "maxpool2d": "en.layers.MaxPool", "maxpooling2d": "en.layers.MaxPool",
    "avgpool2d": "en.layers.AvgPool", "averagepooling2d": "en.layers.AvgPool", "mse": "en.losses.mean_squared_error",
    "crossentropy": _ENTROPY, "crossentropyloss": _ENTROPY, "categoricalcrossentropy": _ENTROPY,
    "sparsecategoricalcrossentropy": _ENTROPY, "smoothl1": "en.losses.huber", "gradientdescent": "en.optim.SGD",
    "tensor": "en.constant", "converttotensor": "en.constant", "grad": "en.gradients",
    "truncatednormal": "en.init.TruncatedNormal", "glorotuniform": "en.init.Glorot", "xavieruniform": "en.init.Glorot",
    "xaviernormal": "en.init.GlorotNormal", "kaimingnormal": "en.init.He", "kaiminguniform": "en.init.HeUniform",
    "henormal": "en.init.He", "interactivesession": "en.Session", "t": "x.T", "view": "x.reshape(shape)",
    "ravel": "x.reshape(shape)", "swapaxes": "x.transpose(axes)", "savestate": "session.state()",
    "load": "en.checkpoint.restore", "applygradients": "apply(grads, variables)",
    "lstmcell": "en.layers.LSTM", "basiclstmcell": "en.layers.LSTM", "grucell": "en.layers.GRU",
}  # fmt: skip
_SENTENCES = {
    **dict.fromkeys(("numpy", "item", "eval", "tolist", "data", "value"), _VALUE),
    **dict.fromkeys(("size", "numel", "getshape"), "x.shape has the sizes, None for those not known"),
    **dict.fromkeys(("std", "var", "variance", "reducestd", "reducevariance"), _SPREAD),
    **dict.fromkeys(("backward", "computegradients", "zerograd"), _GRADIENTS),
    **dict.fromkeys(("setvalue",), "ops.assign(x, value) changes a variable"),
    **dict.fromkeys(("to", "cuda", "cpu", "gpu"), 'Session(graph, device="gpu:0") computes elsewhere'),
    **dict.fromkeys(("float32", "float64", "int32", "int64", "uint8", "bool", "float", "int"), _TYPE),
    **dict.fromkeys(("zeros", "ones", "full", "zeroslike", "oneslike", "fill"), _FULL),
    **dict.fromkeys(("binarycrossentropy", "bce", "bcewithlogits", "sigmoidcrossentropywithlogits"), _BINARY),
    **dict.fromkeys(("tile", "repeat", "expandas"), "en.ops.broadcast_to(x, shape) repeats a size of 1, concat any"),
    **dict.fromkeys(("seed", "setrandomseed", "manualseed", "random"), "Session(graph, seed=1) is what chance goes by"),
    **dict.fromkeys(("nograd", "gradienttape"), _GRADIENTS),
    **dict.fromkeys(("trainablevariables", "globalvariables", "session.variables", "getcollection"), _VARIABLES),
    **dict.fromkeys(("saver", "save"), "en.checkpoint.save(session, path) keeps the values of variables"),
    **dict.fromkeys(("globalvariablesinitializer", "initializeallvariables"), _FIRST),
    "variable": "en.variable(first_value, name=...) is one",
    "train": "en.optim has the optimisers, en.checkpoint what a Saver does",
    **dict.fromkeys(("asdefault",), "`with graph:` is what is built in, and session.run(x) says which session"),
    **dict.fromkeys(("gettensorbyname", "getoperations", "asgraphdef"), "graph.tensors has all of them, in order"),
    **dict.fromkeys(("graph.run", "op.run", "tensor.run"), "Session(graph).run(x) gives its value"),
    **dict.fromkeys(("initializer", "initialize"), _FIRST),
    **dict.fromkeys(("resetdefaultgraph", "graph.reset"), "a new Graph() has nothing in it"),
    **dict.fromkeys(("weights", "kernel", "getweights"), "layer.build(x).variables are those that it makes"),
    "sequential.add": "Sequential([a, b]) takes all its layers", "configproto": "Session(graph, threads=2) has them",
    "module.trace": "en.trace.trace(session, y, feeds) measures",
    "datasets": "`import engine.datasets.points` brings it", "exponentialdecay": "en.schedules.Exponential does that",
    "getvalue": "en.theano.get_value(x) reads a shared one", "finalize": "a graph may grow at any time",
    "nn": "en.ops and en.layers have what it holds", "setshape": "x.shape has the sizes, None for those not known",
    "flatten": "x.reshape(shape) gives another shape; en.layers.Flatten() keeps the batch",
    "astype": 'x.cast("int32") gives the numbers as another type', "addn": "a + b + c adds up several",
    "cond": "en.ops.where(condition, a, b) takes numbers from both, element by element",
    "norm": "en.ops.sqrt(en.ops.sum_(en.ops.square(x))) is a length", "log1p": "en.ops.log(1 + x) is it",
    "relu6": "en.ops.clip(x, 0.0, 6.0) is it", "getvariable": "en.variable(first_value, name=...) makes one",
    "getdefaultgraph": "`with en.Graph() as graph:` makes a graph, and x.graph is a tensor's",
    "controldependencies": "en.ops.after(x, first) is x, once `first` has run",
    "einsum": "en.ops.matmul, transpose and sum_ together do that",
    "floormod": "a - b * en.ops.floor(a / b) is what is left over", "step": "minimize(loss) is what a session runs",
}  # fmt: skip
_SETTINGS = {
    "dim": ("axis",), "dims": ("axes",), "perm": ("axes",), "keep_dims": ("keepdims",), "keepdim": ("keepdims",),
    "kernel_size": ("size",), "pool_size": ("size",), "ksize": ("size",), "stride": ("strides",),
    "dilation": ("dilations",), "dilation_rate": ("dilations",), "depth": ("classes",), "num_classes": ("classes",),
    "newshape": ("shape",), "alpha": ("slope", "decay"), "negative_slope": ("slope",), "rho": ("decay",),
    "paddings": ("widths",), "pad_width": ("widths",), "constant_values": ("value",), "lr": ("rate",),
    "learning_rate": ("rate",), "p": ("rate",), "prob": ("rate",), "eps": ("epsilon",),
    "return_sequences": ("sequence",), "training": ("train",), "is_training": ("train",), "var_list": ("over",),
    "params": ("over",), "out_features": ("units",), "num_units": ("units",), "hidden_size": ("units",),
    "embedding_dim": ("units",), "num_embeddings": ("rows",), "out_channels": ("filters",),
    "kernel_initializer": ("initial",), "initializer": ("initial",), "initial_value": ("initial",),
    "bias_initializer": ("bias",), "clipnorm": ("clip_norm",), "clipvalue": ("clip_value",),
    "label_smoothing": ("smoothing",), "y_true": ("target", "labels"), "y_pred": ("output", "logits"),
    "betas": ("beta1",), "feed": ("feeds",), "shape": ("shapes",), "grad_ys": ("seed",),
    "batch_size": ("size",), "input": ("x",), "stddev": ("std",),
}  # fmt: skip


def elsewhere(name: str, own: str = "", kind: str = "") -> str:
    """Where ``name`` is found here, as the end of a sentence; "" if nowhere.

    ``own``: the place to look in first; ``kind``: what it was looked for in, a class as a rule.
    """
    if name.startswith("_"):  # Python's, or nobody's business
        return ""
    short = name.lower().replace("_", "")
    ends = ("optimizer", "loss", "layer")
    for key in (f"{kind.lower()}.{short}", short, *[short.removesuffix(end) for end in ends]):
        if key in _SENTENCES:
            return f"; {_SENTENCES[key]}"
        if own and _NAMES.get(key, "").startswith(f"en.{own}."):
            return f"; {_NAMES[key]} does that"
        for place in sorted(_PLACES, key=lambda each: each != own):
            for found in names(place):
                if key and found.lower().replace("_", "") == key and (found != name or place != own):
                    return f"; en.{place}.{found} does that"
        if key in _NAMES:
            return f"; {_NAMES[key]} does that"
    return ""


def names(place: str) -> list[str]:
    """What the module ``engine.place`` offers by itself: not what it imports."""
    module = f"engine.{place}"
    found = vars(sys.modules[module]).items() if module in sys.modules else ()
    return sorted(name for name, made in found if not name.startswith("_") and _is_of(made, module))


def _is_of(made: Any, module: str) -> bool:
    if type(made).__name__ == "Op":
        return module == "engine.ops"
    return f"{getattr(made, '__module__', '')}.".startswith(f"{module}.") or type(made).__module__ == module


def call(name: str, given: Sequence[Any]) -> str:
    """What would work instead of calling ``name`` with what holds no tensor, as the end of a sentence."""
    if name in ("random_normal", "random_uniform"):
        return _DRAWN.format(name)
    if len(given) > 1 and any(isinstance(each, (list, tuple)) for each in given[1:]):
        return f"the list of tensors comes first, {name}([a, b], ...)"
    return "constant() makes one of a value"


def setting(name: str, known: Collection[str]) -> str:
    """What the setting ``name`` is called among those ``known``, as the end of a sentence."""
    found = [each for each in _SETTINGS.get(name, ()) if each in known]
    return f"; {name} is called {found[0]} here" if found else ""
