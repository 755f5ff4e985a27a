"""Digits: MNIST, from softmax regression to deep networks."""

from webapp.contract.kind import Kind
from webapp.kinds.digits.commands import draw
from webapp.kinds.digits.settings import DigitsSettings
from webapp.training.commands import edit_weight, look

kind = Kind(
    name="digits",
    path="/digits",
    title="page.digits",
    order=2,
    settings=DigitsSettings,
    experiment="webapp.kinds.digits.experiment:DigitsExperiment",
    commands=(edit_weight, look, draw),
    pace={"batch": 30.0, "epoch": 1.0},
    styles=("digits.css", "digits-network.css", "digits-units.css", "digits-output.css"),
)
