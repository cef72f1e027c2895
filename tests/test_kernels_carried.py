"""A drive that is carried back in time after the weights, in place of the gradient before them."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from netdesc.kernels.cpu import threads
from netdesc.kernels.cpu.carried import Carried
from netdesc.kernels.cpu.constants import constants_of
from netdesc.kernels.cpu.handed_back import HandedBack
from netdesc.kernels.cpu.layer import Layer
from netdesc.kernels.cpu.places import sample_first, time_first
from netdesc.kernels.parameters import dynamics

threads.on_threads(lambda: None)()  # forgets kernels of older sources

KEPT = st.integers(0, 4096)


def recurred(drive_TBN: np.ndarray, of_u: float, of_v: float) -> np.ndarray:
    """The adjoints of u, in 64 bits."""
    g_u = g_v = np.zeros(drive_TBN.shape[1:])
    found = np.empty(drive_TBN.shape)
    for t in reversed(range(len(drive_TBN))):
        g_v = of_v * g_v + drive_TBN[t]
        found[t] = g_u = of_u * g_u + g_v
    return found


def drawn(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@given(
    st.integers(1, 40), st.integers(1, 3), st.integers(1, 70), KEPT, KEPT, st.integers(0, 40),
    st.booleans(), st.integers(0, 99),
)  # fmt: skip
def test_runs_are_carried_back_as_the_recurrences_say(
    steps, batch, columns, keep_u, keep_v, middle, by_sample, seed
):
    of_u, of_v = np.float32(keep_u / 4096), np.float32(keep_v / 4096)
    drive = drawn(seed, steps, batch, columns)
    wanted = recurred(drive, float(of_u), float(of_v))
    if by_sample:
        whole = np.ascontiguousarray(drive.swapaxes(0, 1)).reshape(-1, columns)
        Carried((of_u, of_v), batch, columns).back(whole, sample_first(steps))
        found = whole.reshape(batch, steps, columns).swapaxes(0, 1)
    else:
        carried, middle = Carried((of_u, of_v), batch, columns), min(middle, steps)
        for first, last in ((middle, steps), (0, middle)):
            carried.back(drive[first:last].reshape(-1, columns), time_first(batch))
        found = drive
    size = recurred(np.abs(drawn(seed, steps, batch, columns)), float(of_u), float(of_v)).max()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * size)


@given(st.integers(1, 6), st.integers(0, 99), st.booleans())
def test_shares_are_those_of_all_neurons_or_there_are_none(neurons, seed, alike):
    random = torch.Generator().manual_seed(seed)
    decay = torch.rand(neurons, generator=random)
    decay = decay[:1].expand(neurons).clone() if alike else decay
    found = constants_of(
        dynamics(neurons, decay, torch.tensor(0.25), torch.zeros(0), 1, 1, 1, False)
    )
    if not alike and len(set(found.keep_u.tolist())) > 1:
        assert found.shares is None
        return
    assert found.shares == (found.keep_u[0] / 4096, 0.75)


def test_a_drive_becomes_the_gradient_by_the_input_whoever_asks():
    steps, batch = 30, 2
    decays = torch.tensor(0.25), torch.tensor(0.125)
    weight_OI = torch.from_numpy(np.round(drawn(1, 20, 40) * 8) / 8)
    layer = Layer(weight_OI, None, dynamics(20, *decays, torch.zeros(0), 1, 1, 1, False), False)
    drive = drawn(2, steps, batch, 20)
    wanted = recurred(drive, 0.75, 0.875) @ weight_OI.numpy().astype(np.float64)
    shares = np.float32(0.75), np.float32(0.875)
    handed = HandedBack((drive.reshape(-1), time_first(batch)), layer, shares, True)
    whole, _ = handed.by_input(batch)
    np.testing.assert_allclose(whole.reshape(wanted.shape), wanted, rtol=0, atol=1e-4)
    of_run = handed.run_by_input(batch)
    for first, last in ((18, 30), (7, 18), (0, 7)):
        part, (start, *_) = of_run(first, last)
        np.testing.assert_array_equal(
            part, whole.reshape(-1, 40)[first * batch : last * batch].reshape(-1)
        )
        assert start == -first * batch


def test_no_gradient_is_left_far_from_all_that_differs():
    """So the product has gaps, and what is left out is below what floats show."""
    from netdesc.kernels import operators

    output = torch.zeros(200, 1, 2, requires_grad=True)
    target = torch.zeros(200, 1, 2)
    target[100, 0, 0] = 1
    loss, _ = operators.spike_time(output, target, 0.6, 2, 100)
    loss.backward()
    assert output.grad is not None
    found = output.grad[:, 0, 0].numpy()
    h = 0.6 ** np.arange(100) * np.arange(1, 101)
    wanted = np.zeros(200)
    for lag in range(-99, 100):
        wanted[100 + lag] = -2 * (h[: 100 - abs(lag)] * h[abs(lag) :]).sum()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=2 * 2.0**-24)
    assert np.array_equal(found != 0, np.abs(wanted) >= 2 * 2.0**-24)
    assert 50 < np.count_nonzero(found) < 100
    assert not output.grad[:, 0, 1].any()


def test_graded_differences_keep_small_gradients():
    from netdesc.kernels import operators

    output = torch.zeros(30, 1, 3, requires_grad=True)
    target = torch.zeros(30, 1, 3)
    target[10, 0, 0], target[10, 0, 1], target[10, 0, 2] = 1e-9, 1, -1e-9
    loss, _ = operators.spike_time(output, target, 0.1, 1, 30)
    loss.backward()
    assert output.grad is not None
    graded, spiked, other = output.grad[:, 0].T
    np.testing.assert_allclose(graded[10:13] / 1e-9, spiked[10:13], rtol=1e-5)
    assert torch.equal(graded, -other)
    assert np.count_nonzero(spiked) < np.count_nonzero(graded)
