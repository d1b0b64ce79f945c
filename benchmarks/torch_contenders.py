"""torch on the same problem: eager in several forms, of which the fastest counts, and compiled.

Every form starts a call by setting its gradients to None, as `zero_grad` does by default, and
leaves them where autograd puts them.
"""

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.problem import RATES, Problem
from benchmarks.timing import Call

COMPILED = "compiled"


def gradients(problem: Problem) -> dict[str, Call]:
    """Eager forms of one gradient: `nn` modules with either kind of target, and bare functions."""
    x, one_hot = torch.from_numpy(problem.x), torch.from_numpy(problem.targets)
    index = one_hot.argmax(dim=1)
    network, parameters = module(problem), bare(problem)
    return {
        "modules, index targets": partial(module_gradient, network, x, index),
        "modules, one-hot targets": partial(module_gradient, network, x, one_hot),
        "functions, index targets": partial(bare_gradient, parameters, x, index),
    }


def step(problem: Problem) -> Call:
    """One training step: the gradient of the modules, then `torch.optim.SGD`."""
    x, index = torch.from_numpy(problem.x), torch.from_numpy(problem.targets).argmax(dim=1)
    network = module(problem)
    optimiser = torch.optim.SGD(
        network.parameters(), lr=RATES["learning_rate"], momentum=RATES["momentum"]
    )

    def gradient_and_step() -> None:
        module_gradient(network, x, index)
        optimiser.step()

    return gradient_and_step


def compiled(problem: Problem) -> Call:
    """One gradient of the compiled network; the first call compiles, for this shape only."""
    torch.compiler.reset()
    x, index = torch.from_numpy(problem.x), torch.from_numpy(problem.targets).argmax(dim=1)
    network = module(problem)
    loss = torch.compile(lambda: cross_entropy(network(x), index), dynamic=False)

    def gradient() -> None:
        network.zero_grad(set_to_none=True)
        loss().backward()  # type: ignore[no-untyped-call]

    return gradient


def module(problem: Problem) -> nn.Sequential:
    """`nn.Linear` layers with ReLU between them, at the problem's parameters."""
    layers: list[nn.Module] = []
    for layer, (fan_in, fan_out) in enumerate(pairwise(problem.sizes), start=1):
        linear = nn.Linear(fan_in, fan_out, dtype=torch.from_numpy(problem.x).dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(problem.parameters[f"w{layer}"]).T)
            linear.bias.copy_(torch.from_numpy(problem.parameters[f"b{layer}"]))
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def module_gradient(network: nn.Module, x: Tensor, targets: Tensor) -> None:
    """The natural form."""
    network.zero_grad(set_to_none=True)
    cross_entropy(network(x), targets).backward()  # type: ignore[no-untyped-call]


def bare(problem: Problem) -> list[Tensor]:
    """w1, b1, ... as leaves, weights in the layout of NumPy."""
    return [
        torch.from_numpy(array).clone().requires_grad_() for array in problem.parameters.values()
    ]


def bare_gradient(parameters: list[Tensor], x: Tensor, targets: Tensor) -> None:
    """Without the overhead of modules; `addmm` adds the bias inside the product."""
    for parameter in parameters:
        parameter.grad = None
    h = x
    *hidden, w, b = parameters
    for w_below, b_below in zip(hidden[::2], hidden[1::2], strict=True):
        h = torch.relu(torch.addmm(b_below, h, w_below))
    cross_entropy(torch.addmm(b, h, w), targets).backward()  # type: ignore[no-untyped-call]
