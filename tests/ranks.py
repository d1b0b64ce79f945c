"""Several ranks of one machine for the tests: as `torchrun` starts them, at a tenth of its cost.

A server that has imported torch and the command is started once; each rank is a copy of it, with
the variables of the environment by which torch finds the others. What only `torchrun` does, to ask
the other ranks to end when one is lost, is tested with `torchrun` itself.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from torch._C._distributed_c10d import TCPStore  # torch.distributed.TCPStore, with its types

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "compare.run",
        "compare.command.jobs",
        "compare.examine.parallel",
        "compare.diagnosis.ranks",
        "torch_reference.parallel",
        "torch._dynamo",  # torch's own wrapper of ranks asks for it
    ]
)
SECONDS = 240
"""Longer than ranks can wait for each other: 30 s in a sum of theirs, 60 s in each of ours."""


def run_on_ranks(count: int, command: Sequence[str], printed: Path) -> tuple[str, list[int]]:
    """Run the command on so many ranks; return what all printed and their exit codes."""
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "localhost", "MASTER_PORT": str(store.port)}
    ranks = [
        SERVER.Process(
            target=be_rank,
            args=(command, shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, printed),
        )
        for rank in range(count)
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(SECONDS)
        rank.kill()
        rank.join()
    return printed.read_text(), [int(rank.exitcode or 0) for rank in ranks]


def be_rank(command: Sequence[str], variables: dict[str, str], printed: Path) -> None:
    """What a rank does: become a process that `torchrun` could have started."""
    from compare.command.process import door

    os.environ.update(variables, TORCHELASTIC_USE_AGENT_STORE="True")
    file = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["compare.run", *command]
    sys.exit(door())
