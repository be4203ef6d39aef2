"""A search on a simulated cluster: what is conserved, what luck does, what each policy is worth, and the command."""

import itertools
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import space_of
from typer.testing import CliRunner

from expander.axis import Axis, Factors
from expander.cli.commands import app
from expander.cli.files import load_space
from expander.cli.simulate import DEFAULT_PER_NODE, FAILURES, PREEMPTIONS
from expander.errors import UsageError
from expander.geometry import Basis, realise
from expander.placement import Work
from expander.plan import plan
from expander.recipe import Recipe
from expander.rounds import Job, Round, rounds_of
from expander.search import foreseen, next_step, possible, prescribe
from expander.simulate import POLICIES, START_HOURS, Cluster, Policy, Simulated, simulate
from expander.throughput import GPUS, Throughput
from expander.trial import Completed, Failed, Metrics

BY_NAME = {policy.name: policy for policy in POLICIES}
AXES = list(Axis)
CALM = Cluster(8, 8, failures=0, preemptions=0)


def job(number: int, epochs: int = 4, epoch: float = 2.0, validation: float = 1.0, groups: int = 64) -> Job:
    geometry = realise(Factors(gamma_t=number + 2, gamma_tau=4), Basis())
    known = Work(epochs * epoch + validation, groups)
    return Job((geometry, Recipe(epochs=epochs)), epochs, epoch, validation, 1.0, known)


def one(number: int, jobs: list[Job], following: list[Job] = ()) -> Round:  # type: ignore[assignment]
    """A step whose candidates are `jobs`, the first kept; those of `following` may be next, the first whatever is."""
    axes = AXES[: len(jobs)]
    after = [(each, frozenset(axes if not place else axes[:1])) for place, each in enumerate(following)]
    return Round(str(number), tuple(jobs), tuple((axis,) for axis in axes), tuple(axes), tuple(after))


@st.composite
def searches(draw: st.DrawFn) -> list[Round]:
    steps, number = [], 0
    for _ in range(draw(st.integers(1, 4))):
        count = draw(st.integers(1, 6))
        steps.append(
            [
                job(
                    number + place,
                    draw(st.integers(1, 5)),
                    draw(st.floats(0.1, 5)),
                    draw(st.floats(0.01, 1)),
                    draw(st.integers(1, 16)),
                )
                for place in range(count)
            ]
        )
        number += count
    # A third job that no step has may be foreseen too.
    return [
        one(place, jobs, [*following, job(1000 + place)])
        for place, (jobs, following) in enumerate(zip(steps, [*steps[1:], []], strict=True))
    ]


def work(rounds: list[Round]) -> float:
    return sum(sum(each.units(0)) for step in rounds for each in step.jobs)


clusters = st.builds(
    Cluster,
    st.integers(1, 40),
    st.sampled_from((1, 4, 8)),
    st.sampled_from((0.0, 5.0, 40.0)),
    st.sampled_from((0.0, 5.0, 20.0)),
    st.integers(0, 5),
)


@settings(deadline=None, max_examples=80)
@given(searches(), clusters, st.sampled_from(POLICIES))
def test_hours_are_conserved(rounds: list[Round], cluster: Cluster, policy: Policy) -> None:
    found = simulate(rounds, cluster, policy, backoff=30)
    assert found.busy == pytest.approx(found.useful + found.repeated + found.starting)
    assert found.held == pytest.approx(found.makespan * cluster.gpus)
    assert 0 < found.utilisation <= 1 + 1e-9
    assert found.repeated >= -1e-6
    assert sum(found.steps) == pytest.approx(found.makespan)
    assert [len(each) for each in found.trials] == [len(each.jobs) for each in rounds]
    assert sum(spent.held for each in found.trials for spent in each) == pytest.approx(found.busy - found.wasted)
    # No policy trains less than there is, and several GPUs are never more than as many times as fast.
    assert found.useful - found.wasted >= work(rounds) * (1 - 1e-9) - found.repeated - found.starting
    assert found.useful >= work(rounds) * (1 - 1e-9)
    if not policy.several and policy.speculation == "off":
        assert found.useful == pytest.approx(work(rounds))
    if policy.speculation == "off":
        assert (found.wasted, found.dropped, found.foreseen) == (0, 0, 0)
        longest = [
            max(START_HOURS + sum(each.units(0)) / min(each.known.groups, cluster.gpus) for each in r.jobs)
            for r in rounds
        ]
        assert found.makespan >= sum(longest) * (1 - 1e-9)
    if not cluster.failures and not cluster.preemptions:
        assert (found.failures, found.preempted) == (0, 0)
        if policy.speculation == "off":
            assert found.repeated == pytest.approx(0, abs=1e-6)


@settings(deadline=None, max_examples=20)
@given(searches(), clusters, st.sampled_from(POLICIES))
def test_the_same_seed_is_the_same_search(rounds: list[Round], cluster: Cluster, policy: Policy) -> None:
    assert simulate(rounds, cluster, policy, backoff=30) == simulate(rounds, cluster, policy, backoff=30)


def calm(rounds: list[Round], gpus: int, name: str) -> Simulated:
    return simulate(rounds, replace(CALM, gpus=gpus), BY_NAME[name])


def test_by_hand() -> None:
    rounds = [one(0, [job(0), job(1)]), one(1, [job(2)])]
    alone = calm(rounds, 1, "one_each")
    assert alone.makespan == pytest.approx(3 * (9 + START_HOURS))
    assert alone.utilisation == pytest.approx(1)
    two = calm(rounds, 2, "one_each")
    assert two.makespan == pytest.approx(2 * (9 + START_HOURS))
    assert two.busy == pytest.approx(alone.busy)
    assert two.utilisation == pytest.approx(3 / 4)
    assert two.steps == pytest.approx((9 + START_HOURS, 9 + START_HOURS))
    several = calm(rounds, 2, "proportional")
    assert several.makespan == pytest.approx(9 + START_HOURS + 9 / (2 * 0.98) + START_HOURS)


def test_what_is_trained_early_and_needed_is_trained_once() -> None:
    following = job(5)
    rounds = [one(0, [job(0, epochs=8), job(1, epochs=1)], [following, job(6)]), one(1, [following])]
    patient, eager = (calm(rounds, 2, name) for name in ("one_each", "one_each+likely"))
    assert (eager.foreseen, eager.needed) == (2, 1)
    assert eager.makespan < patient.makespan
    # 17 hours of the longer trial; the short one leaves its GPU after 3 for the certain one, done 9 hours later.
    assert eager.makespan == pytest.approx(17 + START_HOURS)
    assert eager.steps[1] == 0
    assert eager.wasted > 0
    certain = simulate(rounds, replace(CALM, gpus=2), Policy("certain", speculation="certain"))
    assert (certain.foreseen, certain.needed, certain.wasted) == (1, 1, 0)
    assert certain.makespan == pytest.approx(eager.makespan)


def test_a_machine_that_is_taken_away_ends_what_runs_on_it_and_costs_the_epoch() -> None:
    rounds = [one(0, [job(place, epochs=50) for place in range(4)])]
    cluster = Cluster(8, 8, failures=0, preemptions=20)
    found = simulate(rounds, cluster, BY_NAME["one_each"])
    assert found.preempted % 4 == 0
    assert found.preempted > 0
    assert 0 < found.epochs_again <= found.preempted
    assert 0 < found.repeated <= 2.0 * found.epochs_again
    assert found.makespan > calm(rounds, 8, "one_each").makespan


def test_a_search_that_would_never_end_says_so_and_so_does_one_that_does_not_fit() -> None:
    rounds = [one(0, [job(0, epoch=100.0)])]
    with pytest.raises(UsageError, match=r"an epoch of 100 hours on 1 GPUs was cut off 200 times in a row"):
        simulate(rounds, replace(CALM, failures=1000), BY_NAME["one_each"])
    with pytest.raises(UsageError, match="--gpus 8: fewer than the 16 GPUs of one trial"):
        simulate(rounds, CALM, BY_NAME["one_each"], least=16)


# The steps of a search.

KINETICS, _ = load_space("x3d_kinetics400")
PLANNED = plan(KINETICS)
ROUNDS = rounds_of(KINETICS, PLANNED, Throughput(GPUS["h100"], 7))


def test_the_rounds_are_the_steps_of_the_plan_with_what_they_take_on_one_gpu() -> None:
    assert [each.key for each in ROUNDS] == [planned.step.key for planned in PLANNED.steps]
    assert [len(each.jobs) for each in ROUNDS] == [planned.trainings for planned in PLANNED.steps]
    assert [each.ranking[0] for each in ROUNDS] == [planned.chosen for planned in PLANNED.steps]
    for before, after in itertools.pairwise(ROUNDS):
        axes = dict(before.foreseen)
        assert all(before.ranking[0] in axes[each] for each in after.jobs)
    assert not ROUNDS[-1].foreseen


def test_beside_a_contraction_the_next_expansion_is_certain() -> None:
    contraction = next(place for place, each in enumerate(ROUNDS) if each.key == "7-X3D-S")
    of_it, following = ROUNDS[contraction], ROUNDS[contraction + 1]
    assert {each for each, axes in of_it.foreseen if axes == set(of_it.ranking)} == set(following.jobs)
    beside = dict(ROUNDS[contraction - 1].foreseen)
    kept = ROUNDS[contraction - 1].ranking[0]
    assert all(kept in beside[each] for each in (*of_it.jobs, *following.jobs))


@pytest.mark.parametrize("gpus", [8, 64, 1024])
def test_in_proportion_is_ahead_of_one_gpu_each_at_every_size(gpus: int) -> None:
    cluster = Cluster(gpus, 8, 0.02, 1)
    found = {p.name: simulate(ROUNDS, cluster, p, backoff=30) for p in POLICIES if p.speculation == "off"}
    assert found["proportional"].makespan < 0.7 * found["one_each"].makespan
    assert found["proportional"].utilisation > found["one_each"].utilisation
    assert found["proportional+shared"].makespan <= found["proportional"].makespan


def test_what_may_follow_a_step_is_what_follows_each_of_its_decisions() -> None:
    space = space_of(regimes={"bounds": {"Small": 40e6, "Large": 300e6}})
    step = next_step(space, [], "videos")
    assert step is not None
    found = foreseen(space, [], step, "videos")
    for candidate in step.candidates:
        first = next_step(space, [prescribe(step, candidate.axis)], "videos")
        assert first == next((after for axis, after in found if axis is candidate.axis), None)
        kinds = [after.kind for axis, after in found if axis is candidate.axis]
        assert kinds == ["contraction"] * (len(kinds) - 1) + ["expansion"]


def test_only_the_best_so_far_and_those_without_an_outcome_may_still_be_kept() -> None:
    step = next_step(space_of(), [], "videos")
    assert step is not None
    axes = {c.axis for c in step.candidates if c.feasible}
    assert set(possible(step, ())) == axes
    first, second, third = step.trials[:3]
    outcomes = [
        Completed(first.id, Metrics(0.4, 1, 1, 10), 1.0),
        Completed(second.id, Metrics(0.6, 1, 1, 10), 1.0),
        Failed(third.id, "broke"),
    ]
    gone = {c.axis for c in step.candidates if c.trial and c.trial.id in (first.id, third.id)}
    still = set(possible(step, outcomes))
    best = next(c.axis for c in step.candidates if c.trial and c.trial.id == second.id)
    assert best in still
    assert not still & gone


# The page.


def test_the_table_of_the_page_is_what_the_policies_come_to() -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \**`([^`]+)`.*?\|(.*)\|$", page.split("## On paper: policies")[1], flags=re.M)
    assert [name for name, _ in rows] == [policy.name for policy in POLICIES]
    for name, row in rows:
        cells = [cell.strip(" *") for cell in row.split("|")]
        shown = []
        for gpus in (8, 64, 1024):
            cluster = Cluster(gpus, DEFAULT_PER_NODE, FAILURES, PREEMPTIONS)
            found = simulate(ROUNDS, cluster, BY_NAME[name], backoff=KINETICS.failures.backoff_seconds)
            wasted = f"{found.wasted:,.0f}" if found.policy.speculation != "off" else ""
            hours = f"{found.makespan:,.0f}" if found.makespan >= 100 else f"{found.makespan:.1f}"
            shown += [hours, f"{found.utilisation:.1%}".replace("%", " %"), wasted]
        assert cells == shown


# The command.


def planned(*arguments: object, code: int = 0) -> Any:
    found = CliRunner().invoke(app, ["plan", *map(str, arguments)], env={"EXPANDER_STORE": None})
    assert found.exit_code == code, found.output
    return found


def test_the_command_prints_every_policy_and_its_json_what_it_rests_on() -> None:
    asked = ("x3d_kinetics400", "--axes", "bottleneck,fast", "--simulate", "--gpus", 64, "--price", 2)
    found = json.loads(planned(*asked, "--seed", 3, "--json").stdout)["simulation"]
    assert [each["name"] for each in found["policies"]] == [policy.name for policy in POLICIES]
    assert (found["gpus"], found["gpus_per_node"], found["seed"]) == (64, 8, 3)
    assert found["rates"] == {"estimated": sum(found["rates"].values())}
    for each in found["policies"]:
        assert each["price"] == pytest.approx(2 * 64 * each["makespan_hours"])
        assert each["utilisation"] == pytest.approx(each["busy_gpu_hours"] / each["held_gpu_hours"])
    shown = " ".join(planned(*asked).stdout.split())
    assert all(policy.name in shown for policy in POLICIES)
    assert "Nothing here is measured but rates of trials, where a store has them" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x3d_kinetics400", "--simulate"), "--simulate: of how many GPUs? give --gpus N"),
        (("x3d_kinetics400", "--gpus", "8"), "--gpus is of a simulated cluster: give --simulate too"),
        (("x3d_kinetics400", "--seed", "8"), "--seed is of a simulated cluster: give --simulate too"),
        (("x3d_kinetics400", "--simulate", "--count", "8"), "a simulated cluster has --gpus; give --gpus 8"),
        (("x3d_published", "--simulate", "--gpus", "8"), "the space prescribes its path and trains nothing"),
        (("smoke", "--simulate", "--gpus", "8"), "the space trains on CPUs, as resources.gpus_per_trial is 0"),
    ],
)
def test_a_mistake_says_what_to_give(arguments: tuple[str, ...], message: str) -> None:
    found = CliRunner().invoke(app, ["plan", *arguments], env={"EXPANDER_STORE": None})
    assert isinstance(found.exception, UsageError)
    assert message in str(found.exception)
