"""2D points: a network learns which side of a border each point of the plane belongs to."""

from webapp.contract.kind import Kind, Section
from webapp.kinds.points.settings import PointsSettings
from webapp.training.commands import edit_weight, look

kind = Kind(
    name="points",
    path="/",
    title="page.points",
    order=1,
    settings=PointsSettings,
    experiment="webapp.kinds.points.experiment:PointsExperiment",
    commands=(edit_weight, look),
    pace={"batch": 30.0, "epoch": 30.0},
    sections=(
        Section("plane", "u8 (100, 100): the unit that is looked at, over the plane, row 0 = largest y; 127.5 = 0"),
        Section("look", "i4 (2,): layer and unit shown in plane"),
        Section("points", "f32 (P, 2): x and y; key frames only"),
        Section("labels", "i1 (P,): +1 blue, -1 orange; key frames only"),
        Section("unseen", "u8 (P,): 1 for a point kept for testing; key frames only"),
    ),
    limits={"layers": 8, "units": 32},
    styles=("points.css",),
)
