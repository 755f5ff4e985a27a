"""An op in a file of its own: imported, it is there on every executor."""

from engine.op import op
from engine.ops.nn import sigmoid
from engine.ops.rules import float_elementwise

swish = op(
    "swish",
    "x times its own sigmoid (Ramachandran et al. 2017).",
    spec=float_elementwise,
    code="{0} * (0.5 * (1 + tanh(0.5 * {0})))",
    grad=lambda y, g, x: [g * (y + sigmoid(x) * (1 - y))],
)
