"""Code under test that misbehaves: what it does, where it does it, and a wrong gradient behind it.

Every file returns a wrong gradient, so that green is false whatever else happens.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from benchmarks.fuzz.kept import CPU, Attempt, Clock, Tally, Workplace, valid

ACTS = (
    "os._exit(0)", "os._exit(3)", "sys.exit(0)", "exit()", "raise SystemExit", "raise Exception",
    "raise KeyError(1)", "raise RecursionError", "raise MemoryError", "raise StopIteration",
    "raise GeneratorExit", "raise BaseException('\\udcff')", "os.close(1)", "os.close(2)",
    "sys.stdout.close()", "sys.stdout = None", "sys.stderr = 5", "os.chdir('/')", "os.fork()",
    "os.environ.clear()", "np.random.seed(0)", "np.seterr(all='raise')", "print('x' * 10**6)",
    "print('\\x1b[2J')", "print('\\udcff')", "warnings.warn('\\udcff')", "parameters.clear()",
    "parameters['w1'][:] = 0", "x[:] = np.nan", "targets.resize(0)", "time.sleep(99)",
    "sys.setrecursionlimit(50)", "signal.alarm(1)", "signal.signal(signal.SIGALRM, signal.SIG_IGN)",
    "sys.settrace(None)", "threading.Thread(target=print).start()", "gc.disable()",
    "__import__('torch').set_grad_enabled(False)", "__import__('torch').set_num_threads(7)",
    "__import__('torch').set_default_dtype(__import__('torch').float16)", "sys.modules.clear()",
    "return None", "return 1", "return (1, 2, 3, 4)", "return (None, {})", "return (10**400, {})",
    "return ({}, 1.0)", "return (float('nan'), {})", "yield 1", "f = lambda: f(); f()",
    "[0] * 10**12", "atexit.register(os._exit, 0)", "os.kill(os.getpid(), 9)", "os.abort()",
)  # fmt: skip
IMPORTS = "import atexit, gc, os, signal, sys, threading, time, warnings\nimport numpy as np\n"
WRONG = """
    loss, gradients = loss_and(parameters, x, targets)
    return loss, {name: 2 * array for name, array in gradients.items()}
"""
HEAD = IMPORTS + "from manual_mlp import loss_and_gradients as loss_and\n"


def files(count: int, seed: int, clock: Clock) -> Tally:
    """Check hostile files, each through the door of the command."""
    tally, rng = Tally(), random.Random(seed)
    with Workplace() as place:
        for number in range(count):
            if clock.over():
                break
            folder = place.fresh()
            act = ACTS[number] if number < len(ACTS) else rng.choice(ACTS)
            text = written(rng, act)
            (folder / "m.py").write_text(text, encoding="utf-8")
            tally.add(act, through_the_door(folder), wrong=True)
    return tally


def written(rng: random.Random, act: str) -> str:
    """Return a file that does it at import, in the function, at its second call, or in a thread."""
    head, body = HEAD, WRONG
    where = rng.choice(("call", "call", "second", "caught", "import"))
    if where == "import" and not act.startswith(("return", "yield", "parameters", "x[", "targets")):
        return f"{head}{act}\ndef loss_and_gradients(parameters, x, targets):{body}"
    if where == "second":
        act = f"calls.append(1)\n    if len(calls) > 1: {act}"
        head += "calls = []\n"
    if where == "caught":
        act = f"try:\n        {act}\n    except BaseException: pass"
    return f"{head}def loss_and_gradients(parameters, x, targets):\n    {act}{body}"


def through_the_door(folder: Path) -> Attempt:
    """Run the command as a process, as a shell does."""
    line = [sys.executable, "-m", "compare.run", "--manual", str(folder / "m.py"), "--no-plots"]
    line += ["--quiet", "--out", str(folder / "o"), "--timeout", "2"]
    try:
        done = subprocess.run(line, capture_output=True, timeout=12 * CPU, check=False)
    except subprocess.TimeoutExpired:
        return Attempt(None, "", False, float(12 * CPU))
    code = 130 if done.returncode > 128 else done.returncode  # killed by its own signal
    error = done.stderr.decode(errors="replace")
    return Attempt(code, error, code != 0 or valid(folder / "o" / "report.json"), 0.0)
