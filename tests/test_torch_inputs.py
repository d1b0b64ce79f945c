"""torch's own sample inputs for its optimisers, run by ours and judged: those that both have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from compare import Experiment
from compare.checks.optimiser_replay import OptimiserReplay
from compare.checks.optimiser_step import OptimiserStep
from compare.examine.optimisers import our_step
from manual_mlp import Record

pytest.importorskip("expecttest", reason="torch's sample inputs need it")
pytestmark = pytest.mark.rounding
NAMES = {
    "lr": "learning_rate", "momentum": "momentum", "dampening": "dampening",
    "nesterov": "nesterov", "weight_decay": "weight_decay", "betas": "betas", "eps": "eps",
    "alpha": "alpha", "centered": "centred",
}  # fmt: skip
RATES = {"SGD": 1e-3, "Adam": 1e-3, "AdamW": 1e-3, "RMSprop": 1e-2, "Adagrad": 1e-2}
USUAL: dict[str, Any] = {"momentum": 0.0, "momentum_form": "buffer", "activation": "tanh"}


def declared(name: str, kwargs: dict[str, Any]) -> Experiment | None:
    """The experiment of a sample; None where this project has no such setting."""
    given = dict(kwargs)
    optimiser = "amsgrad" if given.pop("amsgrad", False) else name.lower()
    if not set(given) <= set(NAMES) or isinstance(given.get("lr"), torch.Tensor):
        return None
    settings = {NAMES[key]: value for key, value in given.items()}
    usual = {**USUAL, "learning_rate": RATES[name], "optimiser": optimiser}
    if name == "AdamW":
        usual |= {"weight_decay": 1e-2, "decoupled": True}
    return Experiment(**{**usual, **settings})


def samples() -> Iterator[tuple[str, dict[str, Any], Experiment]]:
    from torch.testing._internal.common_optimizers import optim_db

    for info in optim_db:
        name = str(getattr(info.optim_cls, "__name__", ""))
        if name in RATES:
            for sample in info.optim_inputs_func(device=torch.device("cpu")):
                asked = declared(name, sample.kwargs)
                if asked is not None:
                    yield f"{name}, {sample.desc}", sample.kwargs, asked


SAMPLES = list(samples())


def test_every_optimiser_has_samples() -> None:
    assert {name.partition(",")[0] for name, *_ in SAMPLES} == set(RATES)
    assert len(SAMPLES) >= 15


@pytest.mark.parametrize(("name", "kwargs", "asked"), SAMPLES, ids=[name for name, *_ in SAMPLES])
def test_ours_is_torchs_on_its_own_sample(
    name: str, kwargs: dict[str, Any], asked: Experiment
) -> None:
    generator = np.random.default_rng(0)
    w = {"w1": generator.normal(size=(5, 3)), "b1": generator.normal(size=3)}
    tensors = {key: torch.tensor(value, requires_grad=True) for key, value in w.items()}
    theirs = getattr(torch.optim, name.partition(",")[0])(list(tensors.values()), **kwargs)
    step, replay = our_step(asked), OptimiserReplay(OptimiserStep.of(asked))
    state: dict[str, Any] = {}
    rates = {"learning_rate": asked.learning_rate, "momentum": asked.momentum}
    worst = 0.0
    for number in range(5):
        g = {key: generator.normal(size=value.shape) for key, value in w.items()}
        before = Record(number, 0, np.arange(1), 0.0, g, w, state, None, asked.learning_rate)
        for key, tensor in tensors.items():
            tensor.grad = torch.tensor(g[key])
        theirs.step()
        w, state = step(w, g, state, **rates)
        after = Record(number + 1, 0, np.arange(1), 0.0, g, w, state, None, asked.learning_rate)
        for key, tensor in tensors.items():
            np.testing.assert_allclose(w[key], tensor.detach().numpy(), rtol=1e-12, atol=1e-14)
        if not asked.plain_momentum:
            found = replay(before, after)
            worst = max(worst, *(one.ratio for one in found.values()))
    assert worst <= 0.5
