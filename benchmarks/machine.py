"""What the numbers of a benchmark depend on: processor, versions, BLAS libraries and threads."""

import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_info


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
