"""An MLflow server, spoken to over its REST API (2.0, documented at mlflow.org): six calls, no package of MLflow's."""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from expander.errors import ExpanderError

TIMEOUT_SECONDS = 10
# Of one log-batch, and of a parameter's text in every version of the server.
MOST_METRICS = 500
MOST_CHARACTERS = 500

RunStatus = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]


class Unreachable(ExpanderError):
    """The server does not answer now; the same call may go through later."""


class Refused(ExpanderError):
    """The server answers that the call is wrong; it always will."""


@dataclass(frozen=True)
class Metric:
    """One value of a run. timestamp: milliseconds since 1970."""

    key: str
    value: float
    timestamp: int
    step: int


@dataclass(frozen=True)
class Run:
    """A run of the server."""

    id: str
    status: RunStatus


class Server:
    """The server at `uri`. Every method raises Unreachable or Refused."""

    def __init__(self, uri: str) -> None:
        self._uri = uri.rstrip("/")
        self._headers = {"Content-Type": "application/json", **_credentials()}

    def experiment(self, name: str) -> str:
        """The id of the experiment of that name, which is made where there is none."""
        query = urllib.parse.urlencode({"experiment_name": name})
        found = self._call(f"experiments/get-by-name?{query}", absent=HTTPStatus.NOT_FOUND)
        if found is None:
            found = self._call("experiments/create", {"name": name})
            assert found is not None
            return str(found["experiment_id"])
        return str(found["experiment"]["experiment_id"])

    def find_run(self, experiment: str, tags: Mapping[str, str]) -> Run | None:
        """A run with these tags."""
        wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        values = {"experiment_ids": [experiment], "filter": wanted, "max_results": 1}
        runs = (self._call("runs/search", values) or {}).get("runs", [])
        return Run(runs[0]["info"]["run_id"], runs[0]["info"]["status"]) if runs else None

    def create_run(self, experiment: str, name: str, tags: Mapping[str, str], start: int) -> Run:
        """A new run. start: milliseconds since 1970."""
        values = {"experiment_id": experiment, "run_name": name, "tags": _pairs(tags), "start_time": start}
        made = self._call("runs/create", values)
        assert made is not None
        return Run(made["run"]["info"]["run_id"], "RUNNING")

    def log(
        self,
        run: str,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add to a run. Parameters longer than every server takes are cut."""
        cut = {key: value[:MOST_CHARACTERS] for key, value in (params or {}).items()}
        values = {"run_id": run, "params": _pairs(cut), "tags": _pairs(tags or {})}
        for first in range(0, max(1, len(metrics)), MOST_METRICS):
            batch = [vars(metric) for metric in metrics[first : first + MOST_METRICS]]
            self._call("runs/log-batch", values | {"metrics": batch})
            values = {"run_id": run}

    def update(self, run: str, status: RunStatus, end: int | None = None) -> None:
        """Say how a run stands. end: milliseconds since 1970."""
        self._call("runs/update", {"run_id": run, "status": status, **({"end_time": end} if end else {})})

    def _call(self, path: str, values: Mapping[str, Any] | None = None, absent: int = 0) -> dict[str, Any] | None:
        """The server's answer; None where it has the status `absent`. Without values it is asked, else told."""
        data = None if values is None else json.dumps(values, allow_nan=False).encode()
        request = urllib.request.Request(f"{self._uri}/api/2.0/mlflow/{path}", data, self._headers)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                found: dict[str, Any] = json.loads(answer.read() or b"{}")
                return found
        except urllib.error.HTTPError as error:
            with error:
                if error.code == absent:
                    return None
                said = f"HTTP {error.code}: {_message(error.read())}"
            late = error.code >= 500 or error.code in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
            raise (Unreachable if late else Refused)(said) from None
        except (OSError, ValueError) as error:
            # URLError is an OSError; ValueError: something that is no MLflow answers.
            raise Unreachable(str(getattr(error, "reason", None) or error)) from error


def _credentials() -> dict[str, str]:
    """From the variables of the environment that MLflow's own client reads."""
    user, password = (os.environ.get(f"MLFLOW_TRACKING_{key}") for key in ("USERNAME", "PASSWORD"))
    if user and password:
        return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return " ".join(body.decode(errors="replace").split())[:200]
