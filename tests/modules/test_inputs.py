"""Inputs of a network: shapes, types and devices that fit, and errors for others."""

import warnings

import pytest
import torch
from support.modules_samples import dense, network, spikes

from netdesc.kernels.engines import EngineError, use_engine


def test_complex_inputs_are_refused():
    with pytest.raises(ValueError, match="type complex64; real numbers are needed"):
        network(dense("a", 4))(torch.zeros(20, 2, 10, dtype=torch.complex64))


def test_the_error_for_sparse_inputs_names_to_dense():
    model, input_TBN = network(dense("a", 4)), torch.zeros(20, 2, 10).to_sparse()
    with pytest.raises(ValueError, match=r"has layout sparse_coo; .*to_dense"):
        model(input_TBN)
    model(input_TBN.to_dense())


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((20, 2, 9), r"takes an input of shape \[steps, batch, 10\], not \[20, 2, 9\]"),
        ((20, 10), r"not \[20, 10\]"),
        ((20, 2, 10, 1), r"not \[20, 2, 10, 1\]"),
        ((), r"not \[\]"),
        ((20, 0, 10), r"shape \[20, 0, 10\].* each at least 1"),
        ((0, 2, 10), r"shape \[0, 2, 10\].* each at least 1"),
    ],
)
def test_inputs_that_do_not_fit(shape, message):
    with pytest.raises(ValueError, match=message):
        network(dense("a", 4))(torch.zeros(shape))


def test_swapped_axes_cause_a_warning():
    model = network(dense("only", 3))
    with pytest.warns(UserWarning, match="7 steps of 40 samples.*document has 40 steps") as caught:
        model(torch.zeros(7, 40, 10))
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for shape in ((40, 7, 10), (40, 40, 10), (7, 39, 10), (7, 1, 10)):
            model(torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float64])
def test_inputs_of_any_type(dtype):
    model = network(dense("a", 4), dense("b", 3))
    input_TBN = spikes(20, 2, 10)
    assert torch.equal(model(input_TBN.to(dtype)), model(input_TBN))


def test_other_types_and_back():
    model = network(dense("a", 4), dense("b", 3))
    out = model(spikes(20, 2, 10))
    assert torch.equal(model.to(torch.float32)(spikes(20, 2, 10)), out)
    with pytest.raises(ValueError, match="has type float64; netdesc computes in float32"):
        model.double()(spikes(20, 2, 10))
    assert torch.equal(model.float()(spikes(20, 2, 10)), out)


def test_devices_that_do_not_fit():
    model = network(dense("a", 4))
    with pytest.raises(ValueError, match="input is on device 'meta', the network on 'cpu'"):
        model(spikes(20, 2, 10).to("meta"))
    model = model.to("meta")
    with pytest.raises(ValueError, match="input is on device 'cpu', the network on 'meta'"):
        model(spikes(20, 2, 10))
    with pytest.raises(EngineError, match="no fast engine for device 'meta'"):
        model(spikes(20, 2, 10).to("meta"))
    with use_engine("cpu"), pytest.raises(EngineError, match="engine 'cpu' runs on device 'cpu'"):
        model(spikes(20, 2, 10).to("meta"))
