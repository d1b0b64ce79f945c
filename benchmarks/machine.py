"""What the numbers of a benchmark depend on: processor, versions, BLAS libraries and threads."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_info

PINS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS")
"""Variables that choose a kernel in place of the library, others that begin with MKL_DEBUG too."""


def pins() -> dict[str, str]:
    """The variables of this environment that pin a BLAS kernel, with their values."""
    chosen = {name: os.environ[name] for name in PINS if name in os.environ}
    return chosen | {k: v for k, v in os.environ.items() if k.startswith("MKL_DEBUG")}


def warning() -> str | None:
    """What to say of a measurement under pinned kernels: no user has them. None without pins."""
    found = pins()
    if not found:
        return None
    unset = " ".join(f"-u {name}" for name in found)
    named = ", ".join(f"{name}={value}" for name, value in found.items())
    return (
        f"warning: {named} pins a BLAS kernel, so these figures are not what users have; "
        f"measure with env {unset} python -m benchmarks.speed"
    )


def kernels() -> dict[str, str]:
    """The kernel that each side's products run on, as its library calls it."""
    named = {
        info["internal_api"]: f"{info['internal_api']} {info['architecture']}"
        for info in threadpool_info()
        if info.get("architecture")
    }
    return {"numpy": named.get("openblas", "; ".join(named.values())), "torch": mkl_kernel()}


def mkl_kernel() -> str:
    """What MKL says of itself at its first product, or that torch multiplies without it."""
    product = "import torch; torch.ones(64, 64) @ torch.ones(64, 64)"
    done = subprocess.run(
        [sys.executable, "-c", product],
        env=os.environ | {"MKL_VERBOSE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    said = re.search(r"MKL_VERBOSE (oneMKL .*?), \w+ [\d.]+GHz", done.stdout)
    return said[1] if said else "no MKL"


def machine(threads: int) -> dict[str, Any]:
    """The machine and the libraries, as plain values."""
    keys = ("user_api", "internal_api", "version", "num_threads", "architecture")
    return {
        "processor": processor(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "torch computes with": torch.__config__.show().splitlines()[3].strip(" -"),
        "threads": threads,
        "kernels": kernels(),
        "pins": pins(),
        "libraries": [
            {key: info[key] for key in keys if info.get(key) is not None}
            for info in threadpool_info()
        ],
    }


def processor() -> str:
    """The processor's own name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
