"""What was measured of networks on devices, which all searches of a store share."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version

from sqlalchemy import select
from sqlalchemy.orm import Session

from expander.cost import MeasuredName
from expander.errors import UsageError
from expander.geometry import Geometry
from expander.trial import content_id
from results.schema import MeasurementRow, SearchRow
from results.writing import insert


def measured(session: Session, name: MeasuredName, device: str, geometry: Geometry) -> float | None:
    """What is recorded of a network, by whichever search; None where nothing is."""
    row = MeasurementRow.name == name, MeasurementRow.device == device
    geometry_id = content_id(geometry.as_dict())
    return session.scalar(select(MeasurementRow.value).where(*row, MeasurementRow.geometry_id == geometry_id))


def remember(session: Session, name: MeasuredName, device: str, geometry: Geometry, value: float) -> float:
    """Record a measurement; the first of a geometry stands, and is returned."""
    values = {"geometry": geometry.as_dict(), "value": value, "versions": _versions()}
    key = {"name": name, "device": device, "geometry_id": content_id(geometry.as_dict())}
    if measured(session, name, device, geometry) is None:
        insert(session, MeasurementRow(**key, **values, measured_at=datetime.now(UTC)))
    recorded = measured(session, name, device, geometry)
    assert recorded is not None
    return recorded


def measure_on(search: SearchRow, device: str) -> None:
    """Say where a search's complexity is measured. Raises UsageError where it was measured elsewhere so far."""
    if search.device not in (None, device):
        complexity = search.space["complexity"]
        raise UsageError(
            f"the {complexity} of search {search.name!r} was measured on {search.device}, and here it would be"
            f" measured on {device}: {_refusal(search.device, device)}, or start a new search under another name:"
            " it takes over every finished trial"
        )
    search.device = device


def _refusal(before: str, now: str) -> str:
    """Why what was measured on one device does not go with another; a meter names its PyTorch last."""
    (machine, _, version), (here, _, other) = (device.rpartition(", torch ") for device in (before, now))
    if machine and machine == here:
        return f"torch {other} has other kernels, and the two cannot be compared. Resume it with torch {version}"
    return "the two cannot be compared. Resume it where it was begun, with the same dispatcher and resources"


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "x3d-expander")}
