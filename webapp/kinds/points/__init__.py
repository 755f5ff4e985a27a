"""2D points: a network learns which side of a border each point of the plane belongs to."""

from webapp.contract.kind import Kind
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
    styles=("points-network.css", "points.css"),
)
