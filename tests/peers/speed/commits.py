"""Times two checkouts of netdesc in turns: an epoch of Oxford, a digits step, a layer, one neuron.

    python tests/peers/speed/commits.py CHECKOUT CHECKOUT [ROUNDS]

Oxford's document is the first checkout's for both, and then each one's own. In each round every
task runs once a checkout, in shuffled order and in a process of its own. Printed are the medians in
milliseconds and the median of the rounds' ratios, second checkout to first.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EPOCHS = {"oxford": 150, "digits": 4}
PASSES = 40


def train(example: str, folder: str = ".") -> float:
    """Returns an epoch's median milliseconds, of ``folder``'s example with own data and loss."""
    import netdesc

    own, path = Path(f"examples/{example}.json"), Path(f"examples/timed_{os.getpid()}.json")
    document = json.loads(Path(folder, own).read_text())
    document |= {part: json.loads(own.read_text())[part] for part in ("data", "loss")}
    if folder != ".":  # defaults have changed, and with them activity
        for neuron in document["neurons"].values():
            neuron |= {"tau_grad": 1.0, "scale_grad": 1.0} | neuron
        for layer in document["layers"]:
            layer |= {"weight_scale": 1.0} | layer
    document["training"]["epochs"] = EPOCHS[example.partition("_")[0]]
    path.write_text(json.dumps(document))
    try:
        with tempfile.TemporaryDirectory() as runs:
            run_dir = Path(runs) / "run"
            netdesc.train(netdesc.load(path), run_dir=run_dir, progress="quiet")
            lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    finally:
        path.unlink()
    return 1000 * statistics.median(json.loads(line)["seconds"] for line in lines[2:])


def digits_step() -> float:
    import netdesc

    training = netdesc.load("examples/digits.json").document.training
    with __import__("numpy").load("data/digits/digits.npz") as arrays:
        samples = max(len(arrays[name]) for name in arrays.files)
    return train("digits") / -(-samples // training.batch_size)


def passes(inputs: int, neurons: int, steps: int = 500, batch: int = 16) -> float:
    """Returns the median milliseconds of forward and backward pass of a dense layer."""
    import torch

    import netdesc

    neuron = {"type": "cuba", "threshold": 4.0, "current_decay": 0.25, "voltage_decay": 0.1}
    document = {
        "format": 1,
        "name": "layer",
        "time": {"steps": steps},
        "input": {"shape": [inputs]},
        "layers": [{"name": "a", "type": "dense", "units": neurons, "neuron": neuron}],
        "loss": {"type": "spike_time", "time_constant_ms": 2.0},
        "training": {"epochs": 1, "optimizer": {"type": "adam", "learning_rate": 0.001}},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "layer.json")
        path.write_text(json.dumps(document))
        model = netdesc.compile(netdesc.load(path)).model
    generator = torch.Generator().manual_seed(0)
    spikes = torch.rand(steps, batch, inputs, generator=generator).lt(0.05).float()
    seconds = list[float]()
    for _ in range(PASSES):
        start = time.perf_counter()
        model(spikes).sum().backward()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[3:])


TASKS = {
    "oxford": lambda: train("oxford_slayer", sys.argv[3]),
    "oxford, own document": lambda: train("oxford_slayer"),
    "digits": digits_step,
    "layer": lambda: passes(512, 512),
    "one sample": lambda: passes(256, 256, 2000, 1),
    "neuron": lambda: passes(1, 1),
}


def run(checkout: str, task: str, first: str) -> float:
    environment = os.environ | {"PYTHONPATH": str(Path(checkout).resolve())}
    command = [sys.executable, str(Path(__file__).resolve()), "--task", task]
    command.append(str(Path(first).resolve()))
    result = subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, check=True
    )
    return float(result.stdout.split()[-1])


def main(first: str, second: str, rounds: str = "7") -> None:
    times: dict[tuple[str, str], list[float]] = {}
    for number in range(int(rounds)):
        jobs = [(task, checkout) for task in TASKS for checkout in (first, second)]
        random.Random(number).shuffle(jobs)
        for task, checkout in jobs:
            times.setdefault((task, checkout), []).append(
                run(checkout, task, str(Path(first).resolve()))
            )
    for task in TASKS:
        before, after = times[task, first], times[task, second]
        ratio = statistics.median(b / a for a, b in zip(before, after, strict=True))
        medians = " and ".join(f"{statistics.median(each):.3f}" for each in (before, after))
        print(f"{task}: {medians} ms, ratio {ratio:.3f}")


if __name__ == "__main__":
    if sys.argv[1] == "--task":
        print(TASKS[sys.argv[2]]())
    else:
        main(*sys.argv[1:])
