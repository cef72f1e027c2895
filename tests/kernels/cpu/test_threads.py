"""Results depend on the input alone, not on threads, tiles or other computations."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numba
import pytest
import torch
from support.cli_process import run_python
from support.cuba_cases import Layer
from support.grids import grid
from support.thread_layer import all_results, layer_of

from netdesc.kernels.cpu.runtime.threads import current_call, on_threads
from netdesc.kernels.engines import kernel_threads, torch_on_one_thread


@pytest.fixture
def torch_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def assert_same(found: list[torch.Tensor], expected: list[torch.Tensor], what: str) -> None:
    for index, (a, b) in enumerate(zip(found, expected, strict=True)):
        assert torch.equal(a, b), f"{what}: result {index}"


@pytest.mark.parametrize("density", [0.05, 0.5])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("neurons", [1, 37, 70])
def test_the_number_of_threads_changes_nothing(torch_threads, density, batch, neurons):
    layer = layer_of(density, batch, neurons)
    torch.set_num_threads(1)
    one = all_results(layer)
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)  # as another program may
    assert_same(all_results(layer), one, "one thread, though Numba was set to more")
    torch.set_num_threads(2)
    assert_same(all_results(layer), one, "two threads")


@pytest.mark.parametrize("density", [0.05, 0.5])
def test_a_sample_does_not_depend_on_the_others(density):
    """Spikes and the input's gradient of a sample are the same as in a batch of one."""
    layer = layer_of(density, batch=3)
    both = all_results(layer)
    for b in range(3):
        alone = all_results(Layer(**(vars(layer) | {"spikes": layer.spikes[:, b : b + 1]})))
        assert torch.equal(alone[0], both[0][:, b : b + 1])
        torch.testing.assert_close(alone[4], both[4][:, b : b + 1], rtol=1e-5, atol=1e-6)


def test_results_outlive_many_later_calls():
    layer = layer_of(0.05)
    results = all_results(layer)
    copies = [result.clone() for result in results]
    for seed in range(30):
        all_results(layer_of(0.05 if seed % 2 else 0.5))
    assert_same(results, copies, "later calls")


PROGRAM = """
import os, sys, threading
import torch
from support.thread_layer import all_results, layer_of
import numba
torch.set_num_threads(2)
layer = layer_of(0.05)
expected = all_results(layer)
assert torch.get_num_threads() == 2
assert numba.threading_layer() == sys.argv[1], numba.threading_layer()
wrong = []
def work():
    for _ in range(30):
        if any((a != b).any() for a, b in zip(all_results(layer), expected)):
            wrong.append(1)
threads = [threading.Thread(target=work) for _ in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not wrong
print("threads agree", flush=True)
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        try:
            all_results(layer)
        except ValueError as error:
            print(error, flush=True)
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""


@pytest.mark.parametrize("threading_layer", grid(["omp", "workqueue"], ["workqueue"]))
def test_python_threads_and_forks(threading_layer):
    """Numba's workqueue aborts if two threads compute at once, and OpenMP in a forked process. The
    first call leaves torch its number of threads, which is another than Numba's."""
    if threading_layer == "omp":
        pytest.importorskip("numba.np.ufunc.omppool", reason="this machine has no OpenMP")
    env = os.environ | {"NUMBA_THREADING_LAYER": threading_layer, "NUMBA_NUM_THREADS": "3"}
    result = run_python(PROGRAM, threading_layer, env=env, cwd=Path(__file__).parents[2])
    agreed, *refused = result.stdout.splitlines()
    assert agreed == "threads agree"
    assert not hasattr(os, "fork") or "was forked" in refused[0]


FORK_BEFORE_KERNELS = """
import os
import netdesc  # which imports no kernels yet
import torch
torch.set_num_threads(2)
torch.sin(torch.randn(1_000_000))  # starts threads of OpenMP
child = os.fork()
if child == 0:
    from support.thread_layer import all_results, layer_of
    all_results(layer_of(0.05))
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the process is forked")
def test_kernels_run_in_a_process_that_was_forked_before_they_ran():
    run_python(FORK_BEFORE_KERNELS, cwd=Path(__file__).parents[2])


def test_threads_in_this_process():
    layers = [layer_of(0.05), layer_of(0.5)]
    expected = [all_results(layer) for layer in layers]
    found: dict[int, list[list[torch.Tensor]]] = {0: [], 1: []}

    def work(number: int) -> None:
        for _ in range(10):
            found[number].append(all_results(layers[number]))

    workers = [threading.Thread(target=work, args=(number,)) for number in found]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for number, results in found.items():
        assert len(results) == 10
        for result in results:
            assert_same(result, expected[number], f"thread {number}")


def test_training_leaves_torch_one_thread_and_the_kernels_all(torch_threads):
    torch.set_num_threads(2)
    with torch_on_one_thread():
        assert torch.get_num_threads() == 1
        assert kernel_threads() == 2
        assert on_threads(lambda: current_call.threads)() == 2
    assert torch.get_num_threads() == kernel_threads() == 2


def test_programs_that_train_at_once_leave_the_threads_as_they_were(torch_threads):
    torch.set_num_threads(2)
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))
    seen: list[int] = []

    def first() -> None:
        with torch_on_one_thread():
            first_is_in.set()
            second_is_in.wait()
        first_is_out.set()

    def second() -> None:
        first_is_in.wait()
        with torch_on_one_thread():
            second_is_in.set()
            first_is_out.wait()
            seen.append(kernel_threads())

    def later() -> None:
        seen.append(torch.get_num_threads())

    workers = [threading.Thread(target=work) for work in (first, second)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    after = threading.Thread(target=later)
    after.start()
    after.join()
    assert seen == [2, 2]
