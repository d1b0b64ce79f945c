"""Normalisation and dropout by hand: closed forms, finite differences, and torch's own modules."""

from typing import Any

import numpy as np
import pytest
import torch

from manual_mlp import dropout, normalise

KINDS = ("layer", "batch")
LONG = np.longdouble


def draw(kind: str, dtype: Any = np.float64) -> tuple[Any, ...]:
    rng = np.random.default_rng(KINDS.index(kind))
    z, gamma, beta = rng.normal(size=(7, 5)), rng.normal(size=5), rng.normal(size=5)
    return tuple(a.astype(dtype) for a in (z * 3 + 1, gamma, beta, rng.normal(size=(7, 5))))


@pytest.mark.parametrize("kind", KINDS)
def test_standardised_entries_have_mean_zero_and_variance_one_up_to_epsilon(kind: str) -> None:
    z, *_ = draw(kind)
    s, axis = normalise.standardise(z, kind, eps=0.0).s, normalise.AXES[kind]
    np.testing.assert_allclose(s.mean(axis=axis), 0, atol=1e-14)
    np.testing.assert_allclose((s * s).mean(axis=axis), 1, rtol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_the_way_back_is_the_transpose_of_the_jacobian_by_finite_differences(kind: str) -> None:
    z, _, _, ds = draw(kind, LONG)
    dz = normalise.standardise_backward(ds, normalise.standardise(z, kind))
    h = LONG(1e-6)
    for i in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[i] = h
        above, below = (normalise.standardise(z + t, kind).s for t in (step, -step))
        assert abs(((above - below) * ds).sum() / (2 * h) - dz[i]) < 1e-10


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", KINDS)
def test_forward_and_backward_are_those_of_the_torch_module(kind: str, dtype: Any) -> None:
    z, gamma, beta, dn = draw(kind, dtype)
    module = torch.nn.LayerNorm(5) if kind == "layer" else torch.nn.BatchNorm1d(5)
    module = module.to(torch.from_numpy(z).dtype)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(gamma))
        module.bias.copy_(torch.from_numpy(beta))
    leaf = torch.from_numpy(z).requires_grad_()
    theirs = module(leaf)
    theirs.backward(torch.from_numpy(dn))
    found = normalise.standardise(z, kind)
    ours = normalise.scaled(found.s, gamma, beta)
    dgamma, dbeta = normalise.scale_gradients(dn, found.s)
    dz = normalise.standardise_backward(dn * gamma, found)
    assert leaf.grad is not None and module.weight.grad is not None
    pairs = [(ours, theirs.detach()), (dz, leaf.grad)]
    pairs += [(dgamma, module.weight.grad), (dbeta, module.bias.grad)]
    for left, right in pairs:
        assert left.dtype == dtype
        np.testing.assert_allclose(left, right.numpy(), rtol=0, atol=30 * np.finfo(dtype).eps)


def test_running_statistics_are_those_of_the_torch_module_and_serve_its_evaluation() -> None:
    z, _, _, dn = draw("batch")
    module = torch.nn.BatchNorm1d(5, dtype=torch.float64)
    mean, variance = np.zeros(5), np.ones(5)
    for shift in (0.0, 2.0):
        module(torch.from_numpy(z + shift))
        mean, variance = normalise.running(mean, variance, z + shift)
    assert module.running_mean is not None and module.running_var is not None
    np.testing.assert_allclose(mean, module.running_mean.numpy(), rtol=1e-14)
    np.testing.assert_allclose(variance, module.running_var.numpy(), rtol=1e-14)
    leaf = torch.from_numpy(z).requires_grad_()
    theirs = module.eval()(leaf)
    theirs.backward(torch.from_numpy(dn))
    found = normalise.standardise_by(z, mean, variance)
    np.testing.assert_allclose(found.s, theirs.detach().numpy(), atol=1e-14)
    assert leaf.grad is not None
    back = normalise.standardise_backward(dn, found)
    np.testing.assert_allclose(back, leaf.grad.numpy(), atol=1e-14)


def test_batch_normalisation_of_one_row_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two rows"):
        normalise.standardise(np.ones((1, 3)), "batch")


def test_dropout_keeps_the_expected_value_and_is_its_own_gradient() -> None:
    rng = np.random.default_rng(0)
    a, dh = rng.normal(size=(2, 6, 4))
    keep = rng.random((6, 4)) > 0.25
    h = dropout.dropped(a, keep, 0.25)
    assert (h[~keep] == 0).all() and np.allclose(h[keep], a[keep] / 0.75)
    da = dropout.dropped_backward(dh, keep, 0.25)
    assert np.vdot(h, dh) == pytest.approx(np.vdot(a, da), rel=1e-14)
