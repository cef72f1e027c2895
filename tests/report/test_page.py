"""The page as a whole: what it says, what it may load; and the data of its filtered traces."""

import base64
import hashlib
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from support.cli_process import netdesc_process
from support.report_samples import activity, document, metrics_row, page_of, write_run

from netdesc.report import traces as module
from netdesc.report import write_report
from netdesc.report.page import Page
from netdesc.report.run import MAX_PLOTTED_LAYERS, RunData
from netdesc.report.traces import traces
from netdesc.runs.errors import RunError

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}"


class Elements(HTMLParser):
    """The texts, elements and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(folder: Path) -> str:
    return write_report(folder).read_text(encoding="utf-8")


def test_the_page_has_every_part(tmp_path: Path) -> None:
    elements = Elements(page(write_run(tmp_path / "run")))
    for words in (
        "The network does not reproduce the target", "A network for tests.",
        "Output over the epochs", "Target and output", "Layer hidden", "Filtered traces",
        "Spike coincidence", "Loss", "Learning rate", "Gradient norms", "The network", "Silent",
        "3 (18.8 %)", "Weights of hidden", "Learned parameters", "2.804 ms", "Median epoch",
        "netdesc train tiny.json --set 'training.epochs=30'", "2.9.0", '"origins"',
    ):  # fmt: skip
        assert words in elements.text
    # The slider may end with other weights than the best ones, which the samples below show.
    assert elements.text.index("after 30 epochs") < elements.text.index("with the best weights")
    images = elements.all("img")
    assert len(images) == 1 + 2 * 5
    assert all(image["alt"] and (image["src"] or "").startswith("data:image/") for image in images)


@pytest.mark.parametrize("is_identical", [True, False])
def test_the_page_says_if_the_export_was_trained(tmp_path: Path, is_identical: bool) -> None:
    layer = {"layer": "hidden", "neurons": 16, "float": 1234, "integer": 1235, "exported": 1236}
    verification = {"identical": is_identical, "summary": "They are <b>so</b>", "layers": [layer]}
    folder = write_run(tmp_path / "run", verification=verification)
    built, text = Page(RunData(folder)), Elements(page(folder)).text
    assert built.verification.rows == [["hidden", "16", "1,234", "1,235", "1,236"]]
    assert ("They are <b>so</b>." in built.notes) is not is_identical
    assert f"{'Identical' if is_identical else 'Different'}: They are <b>so</b>." in text


def test_epochs_count_from_one(tmp_path: Path) -> None:
    built = page_of(tmp_path)
    assert built.part == "From 2 training samples with the best weights, those of epoch 30."
    loss = built.training[0].data
    assert (loss[0]["x"][0], loss[0]["x"][-1], loss[1]["x"]) == (1, 30, [30])
    assert built.slider.labels[1].startswith("after 3 epochs, loss 25")


def test_a_resumed_run_shows_both_commands_with_their_folders(tmp_path: Path) -> None:
    again = {"at": "2026-01-02T03:09:05+00:00", "epochs_done": 7}
    page = page_of(
        tmp_path, resumed=[again], first_command="netdesc train first.json",
        first_directory="/a place", command="netdesc train --resume run", directory="/b",
    )  # fmt: skip
    assert [(command.purpose, command.text) for command in page.commands] == [
        ("The command that started the run", "cd '/a place'\nnetdesc train first.json"),
        ("The last command that resumed the run", "cd /b\nnetdesc train --resume run"),
    ]


def test_losses_are_per_sample_everywhere(tmp_path: Path) -> None:
    page = page_of(tmp_path, classes=True, samples={"train": 200, "validation": 50})
    assert page.facts["Best validation loss per sample"] == "0.08"
    assert any("loss per sample fell from 2.4 in" in note for note in page.notes)
    assert page.slider.labels[0] == "before training, loss 0.5"
    plot = page.training[0]
    assert plot.data[0]["y"][0] == 100 / 200
    assert plot.data[1]["y"][0] == 120 / 50
    assert plot.data[2]["y"] == [120 / 30 / 50]  # the ring
    assert plot.layout["yaxis"]["title"]["text"] == "loss per sample"
    assert "200 for training and 50 for validation" in plot.caption


def test_the_epoch_slider_names_its_sample(tmp_path: Path) -> None:
    plain = page_of(tmp_path / "a").slider
    labelled = page_of(tmp_path / "b", classes=True).slider
    assert plain.subject == "The first training sample."
    assert labelled.subject == (
        "The first validation sample, of class 1. Prediction with the best weights: no class."
    )


def test_values_are_not_drawn_as_spikes(tmp_path: Path) -> None:
    changes = {"neurons": document()["neurons"] | {"plain": {"type": "integrator"}}}
    run = RunData(write_run(tmp_path / "run", classes=True, changes=changes))
    built = Page(run)
    assert built.slider is None
    plot = built.samples[0].rates
    assert plot.layout["yaxis"]["title"]["text"] == "mean output"
    titles = [each.layout["xaxis"]["title"]["text"] for each in built.rate_histograms]
    assert titles[0] == "spikes per step" != titles[1]
    assert plot.alt.startswith("Sample 1: ")
    assert "class 1," in plot.caption
    assert run.graph.classifier.measure == "mean output"


def test_nothing_is_loaded_and_no_other_script_may_run(tmp_path: Path) -> None:
    text = page(write_run(tmp_path / "run"))
    elements = Elements(text)
    policy = next(
        meta["content"]
        for meta in elements.all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts]
    assert len(hashes) == 2
    assert re.findall(r"'sha256-([^']+)'", policy) == hashes
    for tag, attributes in elements.tags:
        for name in ("src", "href", "srcset", "action", "data"):
            address = attributes.get(name) or "#"
            assert address.startswith(("data:", "#")), (tag, name)
        assert not any(name.startswith("on") for name in attributes)


@pytest.mark.parametrize("classes", [False, True])
def test_markup_shows_as_text(tmp_path: Path, classes: bool) -> None:
    folder = write_run(
        tmp_path / "run",
        classes=classes,
        changes={"description": NASTY},
        status="failed",
        message=NASTY,
        command=f"netdesc train '{NASTY}'",
        platform=NASTY,
        layers=[{"layer": NASTY, "engine": NASTY, "path": NASTY}],
        versions={NASTY: NASTY},
    )
    elements = Elements(page(folder))
    assert elements.text.count(NASTY) >= 7
    assert len(elements.all("script")) == len(
        Elements(page(write_run(tmp_path / "b" / "run", classes=classes))).all("script")
    )
    assert all("onerror" not in attributes for _, attributes in elements.tags)


def test_neurons_are_shown_as_they_are_explained_with_their_states(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    built = Page(RunData(folder))
    plain = netdesc_process("explain", tmp_path / "tiny.json", "plain").out
    assert built.neurons[1].text.split() == plain.split()
    assert built.neurons[1].text in html.unescape(page(folder))
    assert [list(each.plots) for each in built.neurons] == [["hidden"], ["output"]]
    stored = activity()
    for neuron, layer in zip(built.neurons, ("hidden", "output"), strict=True):
        output, x, u, v, threshold = stored[f"trace_{layer}"]
        assert len(neuron.plots[layer]) == 3
        for place, plot in enumerate(neuron.plots[layer]):
            curves = {each["name"]: each for each in plot.data}
            expected = {"u": u, "v": v, "threshold": threshold, "input x": x}
            assert curves.keys() == expected.keys() | {"spike"}
            for name, values in expected.items():
                assert curves[name]["y"] == pytest.approx(values[place], rel=1e-5)
            # A spike is handed on one step after the state that caused it.
            assert curves["spike"]["x"] == [t - 1 for t in np.flatnonzero(output[place]) if t]
    made = document()
    made["neurons"]["learning"] = {"type": "sigma_delta", "threshold": 0.1}
    (plot, *_) = page_of(tmp_path / "graded", changes=made).neurons[0].plots["hidden"]
    assert [each["name"] for each in plot.data] == ["s", "a", "y", "output", "input x"]
    np.savez(folder / "activity.npz", **{k: v for k, v in stored.items() if "trace" not in k})
    older = Page(RunData(folder))
    assert [each.has_plots for each in older.neurons] == [False, False]
    assert older.damage == []
    assert "step   u = decay(u, current_decay) + x" in page(folder)


def test_numbers_that_are_none_do_no_harm(tmp_path: Path) -> None:
    rows = [metrics_row(n) | {"loss": float("nan"), "seconds": float("inf")} for n in range(40)]
    rows[3]["gradient_norms"] = {"hidden": float("-inf"), "output": 1e308}
    rates = {"rate_hidden": np.full(16, np.nan, dtype=np.float32)}
    folder = write_run(tmp_path / "run", epochs=0, rows=rows, arrays=rates)
    elements = Elements(page(folder))
    assert "Best loss – Epochs 40 of 30 Training time – " in elements.text
    assert not re.search(r"\b(nan|inf)\b", elements.text[: elements.text.index("plotly.js (")])


def test_many_layers_are_in_the_tables_and_few_are_drawn(tmp_path: Path) -> None:
    made = document()
    names = [f"layer{n}" for n in range(30)]
    made["layers"] = [
        {"name": name, "type": "dense", "units": 6, "neuron": "plain"} for name in names
    ]
    del made["neurons"]["learning"]
    folder = write_run(tmp_path / "run", changes=made)
    for path in [folder / "activity.npz", *folder.rglob("*.safetensors")]:
        path.unlink()
    built = Page(RunData(folder))
    assert len(built.network.rows) == 31
    assert built.unplotted_layers == 30 - MAX_PLOTTED_LAYERS
    assert RunData(folder).plotted_layers[-1] == "layer29"
    write_report(folder)


def test_the_report_goes_where_it_is_wanted(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    target = tmp_path / "elsewhere.html"
    assert write_report(folder, target) == target
    assert target.stat().st_size > 1_000_000
    assert not (folder / "report.html").exists()
    assert write_report(str(folder)) == folder / "report.html"
    assert (folder / "report.html").read_bytes() == target.read_bytes()


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    with pytest.raises(RunError, match=r"cannot write .*nowhere"):
        write_report(folder, tmp_path / "nowhere" / "report.html")
    before = write_report(folder).read_bytes()
    (folder / "metrics.jsonl").write_text("no line\n")
    with pytest.raises(RunError):
        write_report(folder)
    assert (folder / "report.html").read_bytes() == before
    assert {path.suffix for path in folder.iterdir() if path.name.startswith(".")} == set()


def run_with(folder: Path, **arrays: np.ndarray) -> RunData:
    return RunData(write_run(folder / "run", arrays=arrays))


def test_the_neuron_with_most_unmatched_spikes_is_shown_first(tmp_path: Path) -> None:
    """Neuron 2 has most spikes, neuron 4 most that only one of both has."""
    target = np.array([(step, 2) for step in range(30)] + [(0, 4), (9, 4)], np.int32)
    output = np.array([(step, 2) for step in range(29)] + [(5, 4)], np.int32)
    found = traces(run_with(tmp_path, target_0=target, output_0=output))
    assert found.neuron == 4


def test_the_steps_in_the_page_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STEPS", 40)
    run = run_with(tmp_path)
    found = traces(run)
    trains = [each for trains in found.data["trains"] for pair in trains.values() for each in pair]
    assert 30 < max(max(each) for each in trains if each) < 40
    assert "step 40" in found.note
    assert found.note in write_report(run.path).read_text(encoding="utf-8")


def test_steps_that_the_run_did_not_store_are_not_drawn(tmp_path: Path) -> None:
    found = traces(run_with(tmp_path, cut_target_1=np.int32(25)))
    assert found.data["steps"] == 25


def test_only_a_loss_of_spike_times_has_traces(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", classes=True)
    assert traces(RunData(folder)) is None
    assert 'id="trace-neuron"' not in write_report(folder).read_text(encoding="utf-8")


def test_a_silent_pair_is_drawn(tmp_path: Path) -> None:
    none = np.zeros((0, 2), np.int32)
    found = traces(run_with(tmp_path, target_0=none, output_0=none))
    assert found.neuron == 0
    json.dumps(found.data, allow_nan=False)
