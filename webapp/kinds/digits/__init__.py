"""Digits: MNIST, from softmax regression to deep networks."""

from webapp.contract.kind import Kind, Section
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
    sections=(
        Section("subject", "u8 (28, 28): the picture that is looked at (the drawing, or a test image)"),
        Section("activations", "f32 (sum of hidden units + 10,): of the picture that is looked at, layer by layer"),
        Section("gallery_probs", "f32 (G, 10): what the network makes of the pictures in the gallery"),
        Section("confusion", "i4 (10, 10): true digit by predicted digit over all test images, of the last evaluation"),
        Section("gallery_images", "u8 (G, 28, 28): key frames only"),
        Section("gallery_index", "i4 (G,): their numbers among the test images; key frames only"),
        Section("labels", "u8 (G,): which digits they are; key frames only"),
    ),
    limits={"layers": 8, "units": 512},
    styles=("digits.css", "output.css"),
)
