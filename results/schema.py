"""The tables of the store: what each search tried, what came back and what it kept. All times are UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Raised whenever a table changes, with a migration that brings a store of the version before here
# (results/migrations/versions); a store of a later version is refused.
VERSION = 7
OLDEST = 1


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in, an aware time in UTC out, also where the database keeps no time zone (SQLite)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; a naive time is a mistake of the program."""
        assert value is None or value.tzinfo is not None
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """As UTC, whatever zone the connection is set to."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# Lengths only where a column is a key, which some databases demand.
Name = Annotated[str, mapped_column(String(255))]
Word = Annotated[str, mapped_column(String(16))]
TrialId = Annotated[str, mapped_column(String(16), ForeignKey("trials.id"), index=True)]
Count = Annotated[int, mapped_column(BigInteger)]
Nested = Annotated[dict[str, Any], mapped_column(JSON(none_as_null=True))]
Listed = Annotated[list[Any], mapped_column(JSON(none_as_null=True))]


# What came back of a trial, which is recorded all at once.
OUTCOME = ("completed_at", "top1", "top5", "loss", "videos", "seconds")


def share(column: str) -> CheckConstraint:
    """A column that is a share: in [0, 1], or empty where it may be."""
    return CheckConstraint(f"{column} BETWEEN 0 AND 1", name=column)


def outcome() -> CheckConstraint:
    """A trial has all of its outcome or nothing of it."""
    whole, none = (" AND ".join(f"{column} IS {empty}" for column in OUTCOME) for empty in ("NOT NULL", "NULL"))
    return CheckConstraint(f"({whole}) OR ({none})", name="outcome")


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    # Double, because a plain FLOAT has half the digits in some databases.
    type_annotation_map = {datetime: UtcDateTime(), float: Double(), str: Text()}


class StoreInfo(Base):
    """One row: the version of these tables."""

    __tablename__ = "store_info"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
    created_at: Mapped[datetime]


class RevisionRow(Base):
    """One row: the version again, where Alembic looks for it."""

    __tablename__ = "alembic_version"

    version_num: Mapped[str] = mapped_column(String(32), primary_key=True)


class SearchRow(Base):
    """One named execution of a search space, and the coordinator that holds it.

    space: frozen at the start, with its defaults. source, overrides: where it came from. data: fingerprint of the
    videos, None where nothing is trained. runs: folder of the trials' files. device: where its complexity is measured,
    None before that and where nothing is measured.
    host, pid, process_started, claimed_at: who claimed it last, and when. lease_token: of that claim, None once it was
    given back. lease_number: how often it was claimed. heartbeat_at: when the holder was last heard of. lease_seconds:
    so long after that nobody else may claim it. claimed_at and heartbeat_at are by `results.lease.clock`.
    versions, sources: of what decides and trains, and of its files; None where an earlier version did not record them.
    accepted: changes of these that a user has accepted. forked_from, forked_step: the search whose decisions before
    that step it began with.
    """

    __tablename__ = "searches"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Name] = mapped_column(unique=True)
    space: Mapped[Nested]
    source: Mapped[str]
    overrides: Mapped[Listed]
    data: Mapped[Nested | None]
    runs: Mapped[str]
    versions: Mapped[Nested]
    sources: Mapped[Nested | None]
    accepted: Mapped[Listed]
    forked_from: Mapped[Name | None]
    forked_step: Mapped[int | None]
    created_at: Mapped[datetime]
    state: Mapped[Word]
    reason: Mapped[str | None]
    host: Mapped[str | None]
    pid: Mapped[Count | None]
    process_started: Mapped[str | None]
    claimed_at: Mapped[datetime | None]
    lease_number: Mapped[int]
    lease_token: Mapped[str | None]
    heartbeat_at: Mapped[datetime | None]
    lease_seconds: Mapped[float]
    last_event_at: Mapped[datetime]
    device: Mapped[str | None]


class TrialRow(Base):
    """One training, named by its content; searches share it. `completed_at` is set once, with all that came back.

    worker: where an attempt runs now. trained_by: the search that ordered the last attempt. epoch: the last recorded.
    seconds: wall time of the attempt that completed. top1, the score, top5 in [0, 1], loss in nats: on validation.
    train_top1: on the training clips of the last epoch. device, gpus: what it ran on, and how many GPUs it held. notes:
    what it did otherwise than it began, such as smaller pieces where memory did not suffice.
    trainer: version of the training. started_with: of what trains, as the worker of the last attempt told when it
    began, and the id of the space that it was ordered for; versions: of the attempt that completed, as it ended.
    weights_sha256: of the file, None where nobody has recorded it, as of what was trained before version 7.
    """

    __tablename__ = "trials"
    __table_args__ = (
        outcome(),
        *(share(column) for column in ("top1", "top5", "train_top1")),
        CheckConstraint("loss >= 0", name="loss"),
        CheckConstraint("epochs >= 1", name="epochs"),
        CheckConstraint("epoch BETWEEN 1 AND epochs", name="epoch"),
    )

    id: Mapped[Word] = mapped_column(primary_key=True)
    geometry: Mapped[Nested]
    recipe: Mapped[Nested]
    views: Mapped[Nested]
    data: Mapped[str]
    seed: Mapped[Count]
    trainer: Mapped[int]
    epochs: Mapped[int]
    enrolled_at: Mapped[datetime]
    worker: Mapped[str | None]
    trained_by: Mapped[int | None] = mapped_column(ForeignKey("searches.id"), index=True)
    started_at: Mapped[datetime | None]
    started_with: Mapped[Nested | None]
    epoch: Mapped[int | None]
    completed_at: Mapped[datetime | None]
    top1: Mapped[float | None]
    top5: Mapped[float | None]
    loss: Mapped[float | None]
    videos: Mapped[int | None]
    seconds: Mapped[float | None]
    weights: Mapped[str | None]
    damaged: Mapped[Listed | None]
    versions: Mapped[Nested | None]
    train_top1: Mapped[float | None]
    device: Mapped[str | None]
    gpus: Mapped[float | None]
    notes: Mapped[Listed | None]
    weights_sha256: Mapped[str | None]


class StepRow(Base):
    """One round of a search. key: '7', or '7-X3D-S' for a contraction; ids ascend in the order of the steps.

    frontier_cost, bound: in the unit of the search's complexity.
    """

    __tablename__ = "steps"
    __table_args__ = (
        UniqueConstraint("search_id", "key"),
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint(
            "(kind = 'expansion' AND regime IS NULL) OR (kind = 'contraction' AND regime IS NOT NULL)", name="kind"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    search_id: Mapped[int] = mapped_column(ForeignKey("searches.id"))
    key: Mapped[Name]
    number: Mapped[int]
    kind: Mapped[Word]
    regime: Mapped[str | None]
    frontier: Mapped[Nested]
    frontier_cost: Mapped[float]
    bound: Mapped[float]
    recipe: Mapped[Nested]
    started_at: Mapped[datetime]


class CandidateRow(Base):
    """One axis of a step. reason: why it is infeasible, None where it is not; figures are None where it cannot move.

    cost: in the unit of the search's complexity.
    """

    __tablename__ = "candidates"
    __table_args__ = (
        UniqueConstraint("step_id", "position"),
        CheckConstraint(
            "reason IS NOT NULL OR (factors IS NOT NULL AND geometry IS NOT NULL AND cost IS NOT NULL)", name="feasible"
        ),
        CheckConstraint("reason IS NULL OR trial_id IS NULL", name="infeasible"),
    )

    step_id: Mapped[int] = mapped_column(ForeignKey("steps.id"), primary_key=True)
    axis: Mapped[Word] = mapped_column(primary_key=True)
    position: Mapped[int]
    reason: Mapped[str | None]
    factors: Mapped[Nested | None]
    geometry: Mapped[Nested | None]
    flops: Mapped[Count | None]
    params: Mapped[Count | None]
    params_without_batchnorm: Mapped[Count | None]
    activations: Mapped[Count | None]
    cost: Mapped[float | None]
    achieved_rate: Mapped[float | None]
    trial_id: Mapped[TrialId | None]


class EpochRow(Base):
    """One epoch of a trial, on its training clips; an epoch that is trained again replaces itself.

    waited: share of its seconds in [0, 1]. gpu_memory: bytes. These and clips_per_second are None where they are not
    known, as in what stores of before version 3 recorded.
    """

    __tablename__ = "epochs"
    __table_args__ = (
        CheckConstraint("number >= 1", name="number"),
        *(share(column) for column in ("top1", "waited")),
    )

    trial_id: Mapped[Word] = mapped_column(ForeignKey("trials.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    loss: Mapped[float]
    top1: Mapped[float]
    rate: Mapped[float]
    seconds: Mapped[float]
    clips_per_second: Mapped[float | None]
    waited: Mapped[float | None]
    gpu_memory: Mapped[Count | None]
    recorded_at: Mapped[datetime]


class FailureRow(Base):
    """One attempt that failed, in the search that ordered it; once forgiven it no longer counts as an attempt.

    kind: a FailureKind. worker, node: where it ran, None where it never began or an earlier version did not record it.
    log: the last lines of the trial's log. epoch: the last that the trial had reported. due_at: of the next attempt,
    None where none follows. next: what follows, for people.
    """

    __tablename__ = "failures"
    __table_args__ = (
        UniqueConstraint("search_id", "trial_id", "number"),
        CheckConstraint("number >= 1", name="number"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    search_id: Mapped[int] = mapped_column(ForeignKey("searches.id"))
    trial_id: Mapped[TrialId]
    number: Mapped[int]
    kind: Mapped[Word] = mapped_column(server_default="error")
    reason: Mapped[str]
    traceback: Mapped[str]
    log: Mapped[str] = mapped_column(server_default="")
    worker: Mapped[str | None]
    node: Mapped[str | None]
    epoch: Mapped[int | None]
    forgiven: Mapped[bool]
    failed_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    next: Mapped[str] = mapped_column(server_default="")


class DecisionRow(Base):
    """What a step kept: one of its candidates, and one a step.

    Ids ascend in the order in which a search's decisions were made. cost: in the unit of the search's complexity.
    train_top1: of what is kept, which automatic regularisation reads. by_user: it was not the scores that chose.
    """

    __tablename__ = "decisions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["step_id", "axis"], ["candidates.step_id", "candidates.axis"], name="fk_decisions_candidate"
        ),
        share("score"),
        CheckConstraint("(trial_id IS NULL) = (score IS NULL)", name="trained"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    step_id: Mapped[int] = mapped_column(ForeignKey("steps.id"), unique=True)
    axis: Mapped[Word]
    factors: Mapped[Nested]
    cost: Mapped[float]
    trial_id: Mapped[TrialId | None]
    score: Mapped[float | None]
    ranking: Mapped[Listed]
    train_top1: Mapped[float | None]
    by_user: Mapped[bool]
    decided_at: Mapped[datetime]


class InstanceRow(Base):
    """The network kept for a regime of a search. bound, cost: in the unit of the search's complexity."""

    __tablename__ = "instances"
    __table_args__ = (
        share("score"),
        CheckConstraint("(kind = 'basis' AND step = 0) OR (kind <> 'basis' AND step >= 1)", name="kind"),
    )

    search_id: Mapped[int] = mapped_column(ForeignKey("searches.id"), primary_key=True)
    name: Mapped[Name] = mapped_column(primary_key=True)
    bound: Mapped[float]
    step: Mapped[int]
    kind: Mapped[Word]
    factors: Mapped[Nested]
    geometry: Mapped[Nested]
    flops: Mapped[Count]
    params: Mapped[Count]
    params_without_batchnorm: Mapped[Count]
    activations: Mapped[Count]
    cost: Mapped[float]
    trial_id: Mapped[TrialId | None]
    score: Mapped[float | None]
    settled_at: Mapped[datetime]


class MeasurementRow(Base):
    """What one network takes of one device; searches share it. Written once.

    name: latency, in seconds, or memory, in bytes. geometry_id: of its content, the clip's stride left out. versions:
    of what measured it. value: infinite where the device has not enough memory.
    """

    __tablename__ = "measurements"
    __table_args__ = (CheckConstraint("value > 0", name="value"),)

    name: Mapped[Word] = mapped_column(primary_key=True)
    device: Mapped[Name] = mapped_column(primary_key=True)
    geometry_id: Mapped[Word] = mapped_column(primary_key=True)
    geometry: Mapped[Nested]
    value: Mapped[float]
    versions: Mapped[Nested]
    measured_at: Mapped[datetime]


class DamagedRow(Base):
    """A video that a trial could not read. manifest: 'train' or 'val'; empty where a store of before version 3 does not
    say. video: its path; video_id: of that, as keys are short. first_seen, last_seen: when attempts reported it."""

    __tablename__ = "damaged_videos"
    __table_args__ = (CheckConstraint("manifest IN ('', 'train', 'val')", name="manifest"),)

    trial_id: Mapped[Word] = mapped_column(ForeignKey("trials.id"), primary_key=True)
    manifest: Mapped[Word] = mapped_column(primary_key=True)
    video_id: Mapped[Word] = mapped_column(primary_key=True)
    video: Mapped[str]
    reason: Mapped[str]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]


class FileListRow(Base):
    """What a look at the files of a manifest found, named by its content; searches share it.

    sizes: eight bytes a file, little-endian, compressed by zlib. sample: digest by the file's place in the manifest.
    """

    __tablename__ = "file_lists"

    digest: Mapped[Word] = mapped_column(primary_key=True)
    sizes: Mapped[bytes] = mapped_column(LargeBinary)
    sample: Mapped[Nested]
