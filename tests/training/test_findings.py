"""What training finds out about a network: decided once, with settings that its document takes."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file
from support.report_samples import HIDDEN, OUTPUTS, document, metrics_row, weights, write_run

from netdesc.api.load import load
from netdesc.graph import build_graph
from netdesc.modules import build
from netdesc.runs.activity_file import read_activity
from netdesc.runs.metrics_file import read_metrics
from netdesc.runs.run_record import Finding, Scale
from netdesc.training.findings import TrainedNetwork, find_problems
from netdesc.training.fixes import lower_rate

NOTHING = np.empty((0, 2), dtype=np.int32)
ACTIVE = {"rate_hidden": np.full(HIDDEN, 0.1, np.float32)}
NO_SILENCE = {"undecided_by_label": [0] * OUTPUTS}


class Samples:
    labels = np.zeros(100)

    def __len__(self) -> int:
        return len(self.labels)


def found(
    path: Path,
    *,
    best: dict[str, Any] | None = None,
    silent_loss: float | None = None,
    known: Sequence[Finding] = (),
    **settings: Any,
) -> list[Finding]:
    """What is found of a run with other metrics, activity or best weights."""
    description = load(write_run(path, **settings) / "network.lock.json", with_files=False)
    content = description.document
    graph = build_graph(content)
    model = build(graph)
    tensors = weights(0) | (best or {})
    save_file(tensors, path / "best")
    state = model.state_dict() | load_file(path / "best")
    model.load_state_dict({name: state[name] for name in model.state_dict()})
    shown = read_activity(path, graph)
    setup: Any = SimpleNamespace(
        description=description,
        graph=graph,
        training=content.training,
        scale=Scale(),
        train=SimpleNamespace(samples=Samples()),
        validation=SimpleNamespace(samples=Samples()),
    )
    metrics = read_metrics(path, [layer.name for layer in graph.neuron_layers], 1000)
    setup.training = setup.training.model_copy(update={"epochs": len(metrics)})
    initial = load_file(path / "checkpoints" / "initial.safetensors")
    trained = TrainedNetwork(setup, metrics, model, initial, silent_loss, shown)
    return find_problems(trained, known)


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def settings_of(path: Path, findings: list[Finding]) -> list[str]:
    """All settings of the fixes, which the document must take."""
    settings = [setting for each in findings for _, fix in each.fixes for setting in fix]
    for setting in settings:
        load(path / "network.lock.json", [setting], with_files=False)
    return settings


def with_losses(losses: list[float], name: str = "loss", training: float = 1) -> list[Any]:
    """Rows with these losses; beside those of validation, training's is ``training ** epoch``."""
    return [metrics_row(n) | {"loss": training**n} | {name: x} for n, x in enumerate(losses)]


def test_nothing_is_found_of_a_network_that_learns(tmp_path: Path) -> None:
    assert found(tmp_path / "run", arrays=ACTIVE) == []


@pytest.mark.parametrize(
    ("losses", "name", "training", "is_unstable"),
    [
        ([9.0] + [90.0] * 19, "loss", 1, True),
        ([9.0, 90.0], "loss", 1, True),
        ([9.0] + [20.0] * 19, "loss", 1, True),
        ([9.0, 90.0] + [3.0] * 18, "loss", 1, False),
        ([9.0] + [12.0] * 19, "loss", 1, False),
        ([9.0] + [90.0] * 19, "validation_loss", 1.1, True),
        # The training loss fell: overfitting.
        ([9.0, 3.0] + [90.0] * 18, "validation_loss", 0.9, False),
    ],
)
def test_a_loss_that_ends_far_above_its_start_calls_for_a_lower_rate_only(
    tmp_path: Path, losses: list[float], name: str, training: float, is_unstable: bool
) -> None:
    run = tmp_path / "run"
    findings = found(run, rows=with_losses(losses, name, training))
    assert ("ND413" in codes(findings)) is is_unstable
    if is_unstable:
        assert codes(findings) == ["ND413"]
        assert settings_of(run, findings) == ["training.optimizer.learning_rate=0.003"]


def test_a_loss_below_that_of_silence_has_not_diverged(tmp_path: Path) -> None:
    rows = with_losses([9.0] + [90.0] * 19)
    for silence, is_unstable in ((100.0, False), (80.0, True)):
        findings = found(tmp_path / f"{silence}" / "run", rows=rows, silent_loss=silence)
        assert ("ND413" in codes(findings)) is is_unstable


def test_no_huge_rate_is_suggested() -> None:
    training = document()["training"] | {"optimizer": {"type": "sgd", "learning_rate": 1e30}}
    setup: Any = SimpleNamespace(
        training=load(document(training=training), with_files=False).document.training
    )
    ((_, settings),) = lower_rate(setup)
    assert settings == ["training.optimizer.learning_rate=0.01"]


def test_layers_that_get_no_gradient_after_the_first_epoch_have_diverged(tmp_path: Path) -> None:
    rows = [metrics_row(n) | {"loss": 9.0 + (n > 0) / 2} for n in range(10)]
    for row in rows[1:]:
        row["gradient_norms"] = {"hidden": 0.0, "output": 1e-12}
    assert "ND413" in codes(found(tmp_path / "a/run", rows=rows))
    solved = [row | {"loss": row["loss"] * (1 if n == 0 else 1e-4)} for n, row in enumerate(rows)]
    assert "ND413" not in codes(found(tmp_path / "b/run", rows=solved)), "nothing is left to learn"
    rows[-1]["gradient_norms"]["output"] = 1.0
    assert "ND413" not in codes(found(tmp_path / "c/run", rows=rows))


@pytest.mark.parametrize("last_loss", [3.0, 0.0])
def test_a_loss_without_gradients_names_the_layers(tmp_path: Path, last_loss: float) -> None:
    rows = [metrics_row(n) | {"gradient_norms": {"hidden": 0.0, "output": 1}} for n in range(30)]
    rows[-1]["loss"] = last_loss
    findings = [each for each in found(tmp_path / "run", rows=rows) if each.code == "ND411"]
    assert [each.layer for each in findings] == ["hidden"] * (last_loss > 0)


@pytest.mark.parametrize(
    ("losses", "is_found"),
    [([3.0] + [3.1] * 9, True), ([3.0, 3.0], True), ([3.0], False), ([3.0, 2.9], False)],
)
def test_the_first_epoch_was_the_best(tmp_path: Path, losses: list[float], is_found: bool) -> None:
    run, rows, moved = tmp_path / "run", with_losses(losses), weights(1)
    findings = [each for each in found(run, rows=rows, best=moved) if each.code == "ND412"]
    assert bool(findings) is is_found
    if is_found:
        assert settings_of(run, findings) == ["training.optimizer.learning_rate=0.003"]


def test_silent_layers_and_outputs_come_first_with_settings_that_work(tmp_path: Path) -> None:
    run, silent = tmp_path / "run", np.zeros(OUTPUTS, np.float32)
    arrays = {"rate_output": silent, "output_0": NOTHING, "output_1": NOTHING}
    rows = [metrics_row(n) | {"spike_rates": {"hidden": 0.1, "output": 0.0}} for n in range(5)]
    findings = found(run, arrays=arrays, rows=rows)
    assert codes(findings)[:2] == ["ND410", "ND414"]
    assert (findings[0].layer, "2 of 2" in findings[1].message) == ("output", True)
    settings = settings_of(run, findings[1:2])
    assert settings[0].startswith("layers.output.weight_scale=")
    assert "neurons.plain.threshold=0.25" in settings


def test_a_layer_that_fell_silent_needs_a_lower_rate_first(tmp_path: Path) -> None:
    rows = [metrics_row(n) for n in range(8)]
    for row in rows[2:]:
        row["spike_rates"] = row["spike_rates"] | {"hidden": 0.0}
    findings = found(tmp_path / "run", rows=rows)
    assert findings[0].code == "ND410"
    assert findings[0].fixes[0][1] == ["training.optimizer.learning_rate=0.003"]


def test_silent_samples_of_a_classifier_are_counted_in_all_samples(tmp_path: Path) -> None:
    counts = [[10, *[0] * (OUTPUTS - 1)]] * 5 + [[9, *[0] * (OUTPUTS - 1)]]
    row = {"confusion": counts, "undecided_by_label": [141, *[0] * 5]}
    rows = [metrics_row(n, classes=True) | row for n in range(5)]
    first = found(tmp_path / "run", rows=rows, classes=True)[0]
    assert (first.code, "141 of 200 validation samples" in first.message) == ("ND414", True)


def test_guessing_is_told_by_the_most_frequent_class(tmp_path: Path) -> None:
    counts = [[n, *[0] * (OUTPUTS - 1)] for n in (50, 10, 10, 10, 10, 10)]
    for accuracy, is_guessing in ((0.5, True), (0.6, False)):
        row = {"confusion": counts, "validation_accuracy": accuracy} | NO_SILENCE
        rows = [metrics_row(n, classes=True) | row for n in range(5)]
        run = tmp_path / str(accuracy) / "run"
        findings = found(run, rows=rows, classes=True)
        assert ("ND416" in codes(findings)) is is_guessing
        settings = settings_of(run, [each for each in findings if each.code == "ND416"])
        assert bool(settings) is is_guessing


def test_neurons_that_take_no_part_are_counted(tmp_path: Path) -> None:
    rates = np.array([0.0] * 8 + [0.1] * 8, dtype=np.float32)
    restless = {"rate_hidden": rates, "rate_output": np.ones(6, dtype=np.float32)}
    silent, saturated = found(tmp_path / "run", arrays=restless)
    assert (silent.code, "8 of the 16 neurons" in silent.message) == ("ND410", True)
    assert (saturated.code, saturated.layer) == ("ND418", "output")


@pytest.mark.parametrize("neuron", ["integrator", "sigma_delta"])
def test_neurons_without_spikes_are_not_said_to_be_silent(tmp_path: Path, neuron: str) -> None:
    changes = {"neurons": document()["neurons"] | {"plain": {"type": neuron}}}
    if neuron == "sigma_delta":
        changes["neurons"]["plain"]["threshold"] = 0.1
    quiet = {"rate_output": np.zeros(6, np.float32), "rate_hidden": np.full(HIDDEN, 0.1)}
    best = {name: value for name, value in weights(0).items() if "output.neuron" not in name}
    findings = found(tmp_path / "run", classes=True, changes=changes, arrays=quiet, best=best)
    assert not {"ND410", "ND418"} & {*codes(findings)}


def test_weights_and_decays_at_the_end_of_their_range_are_found(tmp_path: Path) -> None:
    tensors = weights(0)
    tensors["layers.output.synapse.weight"][0, :5] = (-4, 5, 3.98, 4, 4)
    tensors["layers.hidden.neuron.current_decay"][:2] = (0, 1e-5)
    tensors["layers.hidden.neuron.voltage_decay"][:] = 1
    findings = [
        each.message for each in found(tmp_path / "run", best=tensors) if each.code == "ND417"
    ]
    at_limit, current, voltage = findings
    assert "2 of 16 current decays" in current
    assert "16 of 16 voltage decays" in voltage
    assert "5 of the 96 weights" in at_limit


def test_weights_that_the_grid_rounds_to_0_need_a_larger_scale(tmp_path: Path) -> None:
    run = tmp_path / "run"
    best = {"layers.hidden.synapse.weight": np.full((HIDDEN, 12), 0.01, np.float32)}
    first = found(run, best=best)[0]
    assert (first.code, first.layer) == ("ND415", "hidden")
    assert settings_of(run, [first])[0].startswith("layers.hidden.weight_scale=")


@pytest.mark.parametrize("threshold", [0.5, 10.0])
def test_means_and_drives_beyond_the_grid_are_found(tmp_path: Path, threshold: float) -> None:
    neurons = document()["neurons"]
    neurons["plain"] |= {"threshold": threshold}
    neurons["learning"] |= {"norm": "mean"}
    layers = document()["layers"]
    layers[1] = {"name": "output", "type": "winner_take_all", "units": OUTPUTS, "winners": 1}
    layers[1]["neuron"] = "plain"
    mean = torch.full((HIDDEN,), 0.0).numpy()
    mean[:2] = (3.9, -4.5)
    best = {"layers.hidden.neuron.norm.running_mean": mean}
    changes = {"neurons": neurons, "layers": layers}
    findings = found(tmp_path / "run", changes=changes, best=best)
    cut = {each.layer: each.message for each in findings if each.code == "ND419"}
    assert "for 1 of 16" in cut["hidden"]
    assert ("output" in cut) is (threshold == 10.0)


def with_norms(hidden: list[float], output: list[float]) -> list[Any]:
    norms = zip(hidden, output, strict=True)
    return [
        metrics_row(n) | {"gradient_norms": {"hidden": a, "output": b}}
        for n, (a, b) in enumerate(norms)
    ]


@pytest.mark.parametrize(
    ("hidden", "output", "code"),
    [
        ([2e4] * 8, [1.0] * 8, "ND420"),
        ([1e-5] * 8, [1.0] * 8, "ND421"),
        ([1e9, 1.0, 1e9, 1.0, 1e9, 1.0, 1e9, 1.0], [1.0] * 8, None),
        ([10.0**n for n in range(10)], [10.0**n for n in range(10)], "ND422"),
        ([100.0] * 8, [1.0] * 8, None),
        ([0.01] * 8, [1.0] * 8, None),
    ],
)
def test_gradients_are_compared_between_layers_and_epochs(
    tmp_path: Path, hidden: list[float], output: list[float], code: str | None
) -> None:
    run = tmp_path / "run"
    findings = [each for each in found(run, rows=with_norms(hidden, output)) if each.code > "ND419"]
    assert {each.code for each in findings} == ({code} if code else set())
    settings_of(run, findings)


@pytest.mark.parametrize(
    ("accuracies", "losses", "is_found"),
    [
        ([0.8] * 8 + [0.5] * 8, [9.0] * 8 + [7.0] * 8, True),
        ([0.8] * 8 + [0.5] * 8, [9.0] * 8 + [12.0] * 8, False),
        ([0.8, 0.5] * 8, [9.0] * 8 + [7.0] * 8, False),
        ([0.8] * 8 + [0.78] * 8, [9.0] * 8 + [7.0] * 8, False),
    ],
)
def test_a_score_that_falls_while_the_loss_falls_is_told(
    tmp_path: Path, accuracies: list[float], losses: list[float], is_found: bool
) -> None:
    run, rows = tmp_path / "run", [metrics_row(n, classes=True) for n in range(16)]
    for row, accuracy, loss in zip(rows, accuracies, losses, strict=True):
        row |= {"validation_accuracy": accuracy, "validation_loss": loss}
    findings = [each for each in found(run, rows=rows, classes=True) if each.code == "ND423"]
    assert bool(findings) is is_found
    assert bool(settings_of(run, findings)) is is_found


def test_weights_that_moved_far_without_progress_took_too_large_steps(tmp_path: Path) -> None:
    far = {name: 30 * value for name, value in weights(0).items() if "weight" in name}
    level, falling = [9.0, 8.9, 8.8, 8.7], [9.0, 5.0, 4.0, 3.0]
    for losses, is_found in ((level, True), (falling, False)):
        findings = found(tmp_path / f"{is_found}", rows=with_losses(losses), best=far)
        assert ("ND413" in codes(findings)) is is_found


def test_what_has_a_way_out_comes_first_and_what_is_over_last(tmp_path: Path) -> None:
    silent = Finding(code="ND410", message="silent", layer="hidden", epoch=3)
    level = Finding(code="ND412", message="level", epoch=7)
    refusal = Finding(code="ND401", message="no network.net")
    far = weights(0)
    far["layers.output.synapse.weight"][0] = 5
    rows = with_losses([3.0] + [3.1] * 9)
    known = [silent, level, refusal]
    findings = found(tmp_path / "run", rows=rows, arrays=ACTIVE, best=far, known=known)
    assert [(each.code, each.epoch, each.is_over) for each in findings] == [
        ("ND417", None, False), ("ND401", None, False), ("ND412", 7, False), ("ND410", 3, True)
    ]  # fmt: skip
