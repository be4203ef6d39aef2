"""Who is asked what a network takes of a device; the measuring is measure.py's, which this imports only then."""

from __future__ import annotations

from dataclasses import dataclass

from expander.cost import MeasuredName
from expander.geometry import Geometry
from trainers.training import DeviceName


@dataclass(frozen=True)
class DeviceMeter:
    """Measures in the process that asks; plain values only, so that a dispatcher can send it to where trials run.

    threads, name: as `threads` and `device` of a VideoTraining.
    """

    threads: int = 1
    name: DeviceName = "auto"

    @property
    def device(self) -> str:
        """What is measured on, as 'NVIDIA H200, torch 2.13.0' or, with its threads, a CPU; UsageError without a GPU.

        PyTorch's version, which brings the kernels, comes last: measurements of two versions are never compared.
        """
        from trainers.measure import device_of

        return device_of(self)

    def measure(self, name: MeasuredName, geometry: Geometry) -> float:
        """Seconds or bytes, as `expander.coordinator.Meter` says; infinite where the device has not enough memory."""
        from trainers.measure import measured

        return measured(self, name, geometry)
