"""Updates whose numbers lie among settings, under the names of courses and books."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.loop_steps import loop_steps
from compare.examine.starter.source import open_source

BOOK = """import numpy as np
class Adam:
    def before(self):
        self.current_learning_rate = self.learning_rate / (1.0 + self.decay * self.iterations)
    def update(self, layer):
        b1, b2, t = self.beta_1, self.beta_2, self.iterations + 1
        layer.weight_momentums = b1 * layer.weight_momentums + (1 - b1) * layer.dweights
        layer.weight_cache = b2 * layer.weight_cache + (1 - b2) * layer.dweights ** 2
        m = layer.weight_momentums / (1 - self.beta_1 ** (self.iterations + 1))
        s = layer.weight_cache / (1 - self.beta_2 ** (self.iterations + 1))
        layer.weights += -self.current_learning_rate * m / (np.sqrt(s) + self.epsilon)
    def after(self):
        self.iterations += 1
"""
COURSE = """import numpy as np
def rmsprop(w, dw, config=None):
    if config is None: config = {}
    config.setdefault('learning_rate', 1e-2)
    config.setdefault('decay_rate', 0.99)
    config.setdefault('epsilon', 1e-8)
    config.setdefault('cache', np.zeros_like(w))
    config['cache'] = config['decay_rate'] * config['cache'] + (1 - config['decay_rate']) * dw**2
    next_w = w - config['learning_rate'] * dw / (np.sqrt(config['cache']) + config['epsilon'])
    return next_w, config
def adam(w, dw, config):
    config.setdefault('beta1', 0.9)
    config.setdefault('beta2', 0.999)
    config.setdefault('m', np.zeros_like(w))
    config.setdefault('v', np.zeros_like(w))
    config.setdefault('t', 0)
    config['t'] += 1
    config['m'] = config['beta1'] * config['m'] + (1 - config['beta1']) * dw
    config['v'] = config['beta2'] * config['v'] + (1 - config['beta2']) * dw * dw
    m = config['m'] / (1 - config['beta1'] ** config['t'])
    v = config['v'] / (1 - config['beta2'] ** config['t'])
    return w - config['learning_rate'] * m / (np.sqrt(v) + config['epsilon']), config
"""
STEP = """import numpy as np
def step(params, grads, speed, lr=0.01, momentum=0.9, weight_decay=0.0):
    for k in params:
        g = grads[k] + weight_decay * params[k]
        speed[k] = momentum * speed[k] + g
        params[k] -= lr * speed[k]
"""


def wrong_in(folder: Path, text: str) -> list[Verdict]:
    """The verdicts on the updates of a text that are not right."""
    path = folder / "mine.py"
    path.write_text(text, "utf-8")
    found = loop_steps(open_source(path), ())
    assert found.right or found.found
    return [one.verdict for one in found.found]


@pytest.mark.parametrize("text", [BOOK, COURSE, STEP], ids=["book", "course", "step"])
def test_right_ones_are_read(text: str, tmp_path: Path) -> None:
    assert wrong_in(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (BOOK, "layer.dweights ** 2", "layer.dweights"),
        (BOOK, "m / (np.sqrt(s)", "m / (s"),
        (BOOK, "+= -self.current", "+= self.current"),
        (COURSE, "* dw**2", "* dw"),
        (COURSE, "    config['t'] += 1\n", ""),
        (STEP, "+ weight_decay", "- weight_decay"),
        (STEP, "momentum * speed[k] + g", "momentum * speed[k] - g"),
    ],
)
def test_wrong_ones_are_not_right(text: str, old: str, new: str, tmp_path: Path) -> None:
    assert old in text
    assert wrong_in(tmp_path, text.replace(old, new))


WHOLE = "import numpy as np\ndef update(params, grads, lr):\n"
FORMS = {
    "a tuple": "    return tuple(p - lr * g for p, g in zip(params, grads))\n",
    "in place": "    list(map(lambda p, g: p.__isub__(lr * g), params, grads))\n",
    "pairs": "    return [(w - lr * u, b - lr * v) for (w, b), (u, v) in zip(params, grads)]\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_an_update_of_all_weights_at_once_is_called(form: str, tmp_path: Path) -> None:
    text = WHOLE + FORMS[form]
    assert wrong_in(tmp_path, text) == [Verdict.AGREES]
    turned = text.replace("- lr * ", "+ lr * ").replace("isub", "iadd")
    assert wrong_in(tmp_path, turned) == [Verdict.DISAGREES]
    other = text.replace("lr * ", "lr ** 2 * ")
    assert wrong_in(tmp_path, other) == [Verdict.UNDECIDABLE]
