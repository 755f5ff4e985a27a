"""Ways to run a plan; all give the same results within rounding."""

from engine.devices import Device
from engine.executors.base import Executor, Memory, Program
from engine.executors.cuda import Cuda
from engine.executors.guards import Turn
from engine.executors.numpy import Numpy

__all__ = ["Executor", "Memory", "Program", "Turn", "reference"]


def reference(device: Device) -> Executor:
    """The executor that a session on ``device`` has if it is given none."""
    return Cuda(device) if device.is_gpu else Numpy()
