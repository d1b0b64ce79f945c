"""What a run was computed with: versions, BLAS, thread counts, machine type.

Rounding depends on all of them, so every report carries them. Nothing here names the host, its
user or a folder: a report is made to be passed on.
"""

from __future__ import annotations

import os
import platform
import sys
from typing import Any

from threadpoolctl import threadpool_info

from compare.contracts.version import version_of

PACKAGES = ("manual-mlp", "numpy", "torch", "matplotlib")


def environment(device: str = "cpu") -> dict[str, Any]:
    """Return the environment as plain values.

    Libraries report themselves only once they are loaded, and nothing is loaded here: called
    before torch is imported, `torch_threads` is None and torch's own thread pool is missing.
    """
    return {
        "versions": versions(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "device": device_name(device),
        "thread_pools": thread_pools(),
        "torch_threads": torch_threads(),
    }


def versions() -> dict[str, str]:
    """Return the version of Python and of every installed package that computes or draws."""
    return {"python": platform.python_version()} | {name: version_of(name) for name in PACKAGES}


def thread_pools() -> list[dict[str, Any]]:
    """Return name, version, instruction set and thread count of every BLAS and OpenMP loaded."""
    return [
        {
            "library": pool["internal_api"],
            "version": pool["version"],
            "architecture": pool.get("architecture"),
            "threads": pool["num_threads"],
        }
        for pool in threadpool_info()
    ]


def torch_threads() -> int | None:
    """Return torch's thread count, None while torch is not loaded."""
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())


def device_name(device: str) -> str:
    """Return the device as it was asked for, a GPU with its model: `cuda (NVIDIA ...)`."""
    torch = sys.modules.get("torch")
    if torch is None or not device.startswith("cuda"):
        return device
    return f"{device} ({torch.cuda.get_device_name(device)})"
