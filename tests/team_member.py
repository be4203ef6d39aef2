"""One member of a team on gloo: what `test_team.py` starts in processes of its own."""

import json
import pickle
import sys
from dataclasses import asdict

import torch.distributed as dist

from trainers.distributed import Distributed


def main() -> None:
    rank, size, meeting, job = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    with open(job, "rb") as file:
        training, trial = pickle.load(file)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size)
    try:
        completed = training(trial, lambda epoch: print(json.dumps(asdict(epoch)), flush=True), Distributed())
        print(json.dumps(asdict(completed)), flush=True)
    finally:
        dist.destroy_process_group()


main()
