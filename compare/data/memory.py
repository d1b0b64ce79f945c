"""How much memory is left for data: of the machine, of its control group, and by our own limits."""

from __future__ import annotations

import os
from pathlib import Path

ENOUGH = 4
"""Rows are held in memory if they take at most one part in so many of what is left."""
STATUS = Path("/proc/self/status")
GROUP = Path("/sys/fs/cgroup")


def fits(size: int) -> bool:
    """Whether so many bytes may be held beside everything else."""
    return size * ENOUGH <= left()


def left() -> int:
    """Return the bytes that this process may still ask for."""
    return max(0, min(of_the_machine(), of_the_group(), of_the_limits()))


def of_the_machine() -> int:
    """What the system could give without swapping; where it does not say, all memory there is."""
    for line in lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 2**33


def of_the_group() -> int:
    """What the control group of a container leaves, in version 2 or 1 of its files."""
    for most, used in (
        (GROUP / "memory.max", GROUP / "memory.current"),
        (GROUP / "memory" / "memory.limit_in_bytes", GROUP / "memory" / "memory.usage_in_bytes"),
    ):
        limit, now = number(most), number(used)
        if limit is not None and now is not None:
            return limit - now
    return 2**63


def of_the_limits() -> int:
    """What `ulimit -v` and `ulimit -d` leave: limits of the addresses, and of the data."""
    try:
        import resource
    except ImportError:  # not on Windows
        return 2**63
    used = {"VmSize": 0, "VmData": 0}
    for line in lines(STATUS):
        name, _, rest = line.partition(":")
        if name in used:
            used[name] = int(rest.split()[0]) * 1024
    found = 2**63
    for kind, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        soft = resource.getrlimit(kind)[0]
        if soft != resource.RLIM_INFINITY:
            found = min(found, soft - used[name])
    return found


def lines(path: Path) -> list[str]:
    """The lines of a file of the system, none where there is no such file."""
    try:
        return path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return []


def number(path: Path) -> int | None:
    """The number in such a file."""
    found = lines(path)
    return int(found[0]) if found and found[0].isdigit() else None
