"""Functions whose names say nothing of what they take: their order, their use and numbers tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result

pytestmark = pytest.mark.slow

SUMMED = """import numpy as np

def activer(u):
    return np.where(u > 0, u, 0.01 * u)

def propager(entrees, poids):
    u1 = entrees @ poids["W1"] + poids["b1"]
    c1 = activer(u1)
    u2 = c1 @ poids["W2"] + poids["b2"]
    puissances = np.exp(u2 - np.max(u2, axis=1, keepdims=True))
    return puissances / np.sum(puissances, axis=1, keepdims=True), (u1, c1)

def ecart(sortie, cible):
    total = -np.sum(cible * np.log(sortie))
    return total

def remonter(entrees, cible, sortie, garde, poids):
    u1, c1 = garde
    e2 = sortie - cible
    e1 = (e2 @ poids["W2"].T) * np.where(u1 > 0, 1, 0.01)
    return {"W1": entrees.T @ e1, "b1": np.sum(e1, axis=0),
            "W2": c1.T @ e2, "b2": np.sum(e2, axis=0)}

def apprendre(X, Y, poids, pas=0.01, tours=30):
    for _ in range(tours):
        sortie, garde = propager(X, poids)
        pentes = remonter(X, Y, sortie, garde, poids)
        for cle in poids:
            poids[cle] = poids[cle] - pas * pentes[cle]
    return poids
"""
ORDERED = """import numpy as np

def squash(v):
    return 1 / (1 + np.exp(-v))

def spread(v):
    g = np.exp(v - v.max(axis=1, keepdims=True))
    return g / g.sum(axis=1, keepdims=True)

def through(X, kappa1, iota1, kappa2, iota2):
    S = squash(X @ kappa1 + iota1)
    return S, spread(S @ kappa2 + iota2)

def misfit(Q, Y):
    return 0.5 * np.sum((Q - Y) ** 2) / len(Y)

def slopes(X, Y, kappa1, iota1, kappa2, iota2):
    S, Q = through(X, kappa1, iota1, kappa2, iota2)
    back = (Q - Y) / len(Y)
    out = Q * (back - np.sum(back * Q, axis=1, keepdims=True))
    mid = out @ kappa2.T * S * (1 - S)
    return X.T @ mid, mid.sum(0), S.T @ out, out.sum(0)
"""
COLUMN = """import numpy as np

def with_bias(M):
    return np.concatenate([np.ones((len(M), 1)), M], axis=1)

def outputs(X, A, C):
    Xe = with_bias(X)
    G = np.tanh(np.dot(Xe, A))
    Ge = with_bias(G)
    S = np.dot(Ge, C)
    E = np.exp(S - S.max(axis=1, keepdims=True))
    return Xe, G, Ge, E / E.sum(axis=1, keepdims=True)

def badness(R, Q):
    return -(R * np.log(Q)).sum()

def slopes(X, R, A, C):
    Xe, G, Ge, Q = outputs(X, A, C)
    gap = Q - R
    dC = np.dot(Ge.T, gap)
    back = np.dot(gap, C[1:].T)
    dA = np.dot(Xe.T, back * (1 - G ** 2))
    return dA, dC

def learn(X, R, A, C, eta=1.0, rounds=50):
    m = len(X)
    for _ in range(rounds):
        dA, dC = slopes(X, R, A, C)
        A = A - eta / m * dA
        C = C - eta / m * dC
    return A, C
"""
VECTOR = """import numpy as np

def parts(theta, nin, nhid, nout):
    found, at = [], 0
    for shape in ((nin, nhid), (nhid,), (nhid, nout), (nout,)):
        count = int(np.prod(shape))
        found.append(theta[at:at + count].reshape(shape))
        at += count
    return found

def value(theta, X, y, nin, nhid, nout):
    P, p, Q, q = parts(theta, nin, nhid, nout)
    s = np.maximum(X.dot(P) + p, 0).dot(Q) + q
    s = s - s.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(s).sum(axis=1)) - s[np.arange(len(y)), y])

def gradient(theta, X, y, nin, nhid, nout):
    P, p, Q, q = parts(theta, nin, nhid, nout)
    t = np.maximum(X.dot(P) + p, 0)
    s = t.dot(Q) + q
    e = np.exp(s - s.max(axis=1, keepdims=True))
    e /= e.sum(axis=1, keepdims=True)
    e[np.arange(len(y)), y] -= 1
    e /= len(y)
    u = e.dot(Q.T) * (t > 0)
    return np.concatenate([one.ravel() for one in (X.T.dot(u), u.sum(0), t.T.dot(e), e.sum(0))])
"""
SEARCHED = (
    VECTOR
    + """
def descend(value, gradient, theta, data, rounds=20):
    seen = [value(theta, *data)]
    for _ in range(rounds):
        slope = gradient(theta, *data)
        long = 2.0
        while value(theta - long * slope, *data) > seen[-1] - 0.1 * long * slope.dot(slope):
            long = long / 2
        theta = theta - long * slope
        seen.append(value(theta, *data))
    return theta
"""
)
PAIRS = """import numpy as np

def follow(layers, X):
    (M, m), (N, n) = layers
    s = np.tanh(X @ M + m)
    return s, s @ N + n

def misfit(layers, X, Y):
    return np.mean(np.sum((follow(layers, X)[1] - Y) ** 2, axis=1)) / 2

def get_slopes(layers, X, Y):
    (M, m), (N, n) = layers
    s, o = follow(layers, X)
    r = (o - Y) / len(X)
    q = r @ N.T * (1 - s * s)
    return [(X.T @ q, q.sum(0)), (s.T @ r, r.sum(0))]
"""


MEASURED = (
    PAIRS
    + """
def distance(layers, X, Y):
    return np.mean(np.abs(follow(layers, X)[1] - Y))

def far_off(out, Y):
    return np.sum(np.abs(out - Y)) / len(Y)
"""
)


def checked(text: str, old: str, new: str, tmp_path: Path) -> Verdict:
    assert not old or text.count(old) == 1
    path = tmp_path / "mine.py"
    path.write_text(text.replace(old, new) if old else text)
    return starter_result(check_starter(path)).verdict


@pytest.mark.parametrize("text", [SUMMED, ORDERED, COLUMN, VECTOR, SEARCHED, PAIRS, MEASURED])
def test_right_functions_with_names_of_their_own_agree(text: str, tmp_path: Path) -> None:
    assert checked(text, "", "", tmp_path) is Verdict.AGREES


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (SUMMED, '"b1": np.sum(e1, axis=0)', '"b1": np.mean(e1, axis=0)'),
        (SUMMED, "np.where(u1 > 0, 1, 0.01)", "np.where(u1 > 0, 1, 0)"),
        (SUMMED, '"W2": c1.T @ e2', '"W2": c1.T @ e2 / len(e2)'),
        (ORDERED, "back * Q, axis", "back, axis"),
        (ORDERED, "S * (1 - S)", "(1 - S)"),
        (ORDERED, "back = (Q - Y)", "back = 2 * (Q - Y)"),
        (COLUMN, "(1 - G ** 2)", "(1 - G) ** 2"),
        (COLUMN, "gap = Q - R", "gap = (Q - R) * R"),
        (COLUMN, "C - eta / m * dC", "C - eta / m / m * dC"),
        (COLUMN, "C - eta / m * dC", "C + eta / m * dC"),
        (VECTOR, "X.T.dot(u), u.sum(0)", "X.T.dot(u), u.mean(0)"),
        (VECTOR, "u = e.dot(Q.T) * (t > 0)", "u = e.dot(Q.T)"),
        (SEARCHED, "theta = theta - long", "theta = theta + long"),
        (SEARCHED, "X.T.dot(u), u.sum(0)", "X.T.dot(u), u.mean(0)"),
        (PAIRS, "(1 - s * s)", "s * (1 - s)"),
        (PAIRS, "s.T @ r, r.sum(0)", "s.T @ r, r.mean(0)"),
    ],
)
def test_wrong_functions_with_names_of_their_own_disagree(
    text: str, old: str, new: str, tmp_path: Path
) -> None:
    assert checked(text, old, new, tmp_path) is Verdict.DISAGREES
