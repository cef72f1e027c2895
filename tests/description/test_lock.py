"""The lock: a document with every default, which reproduces a run."""

import hashlib
import json
import shutil

import pytest
from support.description_samples import BASE, codes, write_files

from netdesc.api.load import check, load
from netdesc.description import lock_text
from netdesc.neurons.models.fields import DEFAULT_PEAK, DEFAULT_SHAPE, DEFAULT_WIDTH

VERSIONS = {"netdesc": "0.1.0", "torch": "2.13"}


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    write_files(folder)
    (folder / "network.json").write_text(BASE)
    return folder


def _write_lock(description, run):
    run.mkdir(parents=True, exist_ok=True)
    path = run / "network.lock.json"
    path.write_text(lock_text(description, run, VERSIONS), encoding="utf-8")
    return path


def test_a_lock_holds_everything(project):
    description = load(project / "network.json", ["training.seed=3"])
    lock = json.loads(_write_lock(description, project / "runs/a").read_text())
    assert lock["training"]["checkpoint_every_s"] == 30.0
    assert lock["lock"]["seed"] == 3
    assert lock["lock"]["versions"] == VERSIONS
    assert lock["lock"]["origins"]["/training/seed"] == "--set"
    assert lock["lock"]["origins"]["/training/batch_size"] == "default"
    assert lock["lock"]["origins"]["/training/epochs"] == "file"
    assert {file["path"]: file["sha256"] for file in lock["lock"]["files"]} == {
        name: hashlib.sha256((project / name).read_bytes()).hexdigest()
        for name in ("input.bs1", "target.bs1")
    }


def test_a_lock_states_the_surrogate_that_acted(project):
    text = json.loads(BASE)
    del text["training"]["optimizer"]
    text["neurons"]["cuba"]["threshold"] = 0.5
    (project / "network.json").write_text(json.dumps(text))
    first = load(project / "network.json")
    lock = json.loads(_write_lock(first, project / "runs/a").read_text())
    stated = lock["neurons"]["cuba"]["surrogate"]
    assert stated == {"width": DEFAULT_WIDTH / 2, "peak": DEFAULT_PEAK * 2, "shape": DEFAULT_SHAPE}
    origins = lock["lock"]["origins"]
    assert origins["/neurons/cuba/surrogate/width"] == "default"
    again = load(project / "runs/a/network.lock.json")
    assert (again.document, again.origins) == (first.document, first.origins)


def test_a_lock_of_an_earlier_version_keeps_slayer_s_surrogate(project):
    old = {"tau_grad": 1.0, "scale_grad": 1.0, "surrogate": None}
    text = json.loads(_write_lock(load(project / "network.json"), project / "runs/a").read_text())
    text["neurons"]["cuba"] |= old
    (project / "runs/a/network.lock.json").write_text(json.dumps(text))
    neuron = load(project / "runs/a/network.lock.json").document.neurons["cuba"]
    assert neuron.surrogate is None
    assert neuron.surrogate_at(1.0, neuron.width_schedule) == (5e-4, 100.0)


def test_a_lock_loads_as_the_document_it_was_made_from(project):
    first = load(project / "network.json", ["training.epochs=3"])
    again = load(_write_lock(first, project / "runs/a"))
    assert again.document == first.document
    assert again.origins == first.origins
    assert again.lock.versions == VERSIONS
    for path in ("input.bs1", "target.bs1"):
        assert again.resolve(path).resolve() == first.resolve(path)
    third = load(_write_lock(again, project / "runs/b"))
    assert third.document == first.document
    assert third.origins == first.origins


def test_an_override_on_a_lock_wins(project):
    path = _write_lock(load(project / "network.json"), project / "runs/a")
    (project / "other.bs1").write_bytes((project / "input.bs1").read_bytes())
    description = load(
        path, ["training.epochs=4", f"data.train.0.input.path={project / 'other.bs1'}"]
    )
    assert description.document.training.epochs == 4
    assert description.origins["/training/epochs"] == "--set"
    assert description.resolve(description.document.data.train[0].input.path).name == "other.bs1"


def test_a_changed_file_is_found(project):
    path = _write_lock(load(project / "network.json"), project / "runs/a")
    with (project / "input.bs1").open("ab") as file:
        file.write(b"\0\0\0\0\0")
    (diagnostic,) = check(path)[1]
    assert diagnostic.code == "ND303"
    assert diagnostic.pointer == "/data/train/0/input/path"


def test_a_lock_finds_its_files_when_it_or_the_project_moved(project, tmp_path):
    path = _write_lock(load(project / "network.json"), project / "runs/a")
    alone = tmp_path / "alone" / "deep" / "down.json"
    alone.parent.mkdir(parents=True)
    shutil.copy(path, alone)
    assert load(alone).resolve("input.bs1") == project / "input.bs1"
    moved = tmp_path / "moved"
    project.rename(moved)
    description = load(moved / "runs/a/network.lock.json")
    assert description.resolve("input.bs1").resolve() == moved / "input.bs1"
    assert codes(check(alone)[1]) == ["ND301", "ND301"]
    alone.write_text(alone.read_text().replace(str(project), "/" + "long" * 100))
    assert codes(check(alone)[1]) == ["ND301", "ND301"]


def test_a_path_from_the_command_line_is_locked_too(project, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_files(elsewhere)
    monkeypatch.chdir(elsewhere)
    first = load(project / "network.json", ["data.train.0.input.path=input.bs1"])
    monkeypatch.chdir(tmp_path)
    again = load(_write_lock(first, project / "runs/a"))
    assert again.document == first.document
    assert again.resolve(again.document.data.train[0].input.path) == elsewhere / "input.bs1"


def test_values_of_a_dict_come_from_python(project, monkeypatch):
    monkeypatch.chdir(project)
    description = load(json.loads(BASE), {"training.seed": 3})
    assert description.origins["/time/steps"] == "Python"
    assert description.origins["/training/seed"] == "--set"
    assert description.origins["/training/batch_size"] == "default"
    assert description.without_data().origins["/data"] == "Python"
    again = load(_write_lock(description, project / "runs/a"))
    assert again.origins == description.origins
