"""Completion: the scripts for shells, and what is suggested where."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_process import netdesc_timed
from hypothesis import given
from hypothesis import strategies as st

from netdesc import suggestions
from netdesc.cli import main
from netdesc.cli.completing import _joined
from netdesc.cli.main import COMMANDS
from netdesc.description import check
from netdesc.description.explain import ENTRIES
from netdesc.shipped import shipped

OXFORD = shipped("examples/oxford.json")

Tab = Callable[..., list[str]]


@pytest.fixture
def tab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Tab:
    """What Bash would offer for the last of some words, which ``=`` has taken apart already."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("_NETDESC_COMPLETE", "bash_complete")

    def press(*words: str) -> list[str]:
        monkeypatch.setenv("COMP_WORDS", "\n".join(["netdesc", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        with pytest.raises(SystemExit) as exit:
            main([])
        assert exit.value.code == 0
        return [line.partition(",")[2] for line in capsys.readouterr().out.splitlines() if line]

    return press


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[[str, int], None]:
    def make(place: str, age: int) -> None:
        folder = tmp_path / place
        folder.mkdir(parents=True)
        (folder / "run.json").write_text("{}")
        os.utime(folder / "run.json", (10_000 - age, 10_000 - age))

    return make


# Where what is offered


def test_commands_and_options_are_offered(tab: Tab) -> None:
    assert tab("") == list(COMMANDS)
    assert tab("comp") == ["completion", "compile-and-train", "compile"]
    assert "--json" in tab("train", "--")
    assert tab("train", "--engine", "") == ["auto", "reference", "cpu", "cuda"]
    assert tab("init", "--template", "d") == ["digits"]
    assert tab("bench", "") == ["layer", "oxford", "sweep"]
    tab("nothing", "")  # no failure


def test_runs_are_offered_where_they_are_taken(
    tab: Tab, make_run: Callable[[str, int], None], tmp_path: Path
) -> None:
    make_run("runs/first", 50)
    make_run("runs/oxford/20261124-222631-3f9a", 10)
    make_run("elsewhere/run", 0)
    (tmp_path / "runs" / "no-run").mkdir()
    (tmp_path / "network.json").write_text("{}")
    newest_first = ["runs/oxford/20261124-222631-3f9a", "runs/first"]
    assert tab("report", "") == newest_first
    assert tab("train", "--resume", "runs/f") == ["runs/first"]
    assert tab("evaluate", "") == [*newest_first, "elsewhere/", "network.json", "runs/"]
    assert tab("show", "net") == ["network.json"]
    assert tab("diff", "network.json", "runs/f") == ["runs/first/", "runs/first"]
    assert tab("diff", "net") == ["network.json"]


def test_files_of_the_right_kind_and_folders_are_offered(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "a folder").mkdir()
    for name in ("a.json", "a.JSON", "a.net", "a.bs1", "a.txt", ".a.json", "a folder/b.json"):
        (tmp_path / name).write_text("")
    assert tab("validate", "") == ["a folder/", "a.JSON", "a.json"]
    assert tab("validate", "'a folder/'") == ["a folder/b.json"]
    assert tab("format", "a.json", "a.") == tab("migrate", "a.") == ["a.JSON", "a.json"]
    assert tab("validate", ".") == [".a.json"]
    assert tab("import", "a.") == ["a.net"]
    assert tab("run", "a.net", "a.") == ["a.bs1"]
    assert tab("validate", "nowhere/") == []


def test_codes_are_offered(tab: Tab) -> None:
    assert tab("explain", "") == sorted(ENTRIES)
    assert tab("explain", "nd10") == [code for code in sorted(ENTRIES) if code.startswith("ND10")]


def test_completing_leaves_the_commands_as_they_are(
    tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab("show", "")
    monkeypatch.delenv("_NETDESC_COMPLETE")
    with pytest.raises(SystemExit) as exit:
        main(["show", str(OXFORD)])
    assert exit.value.code == 0


def test_keys_of_set_are_offered(tab: Tab) -> None:
    assert tab("train", "--set", "training.ep") == ["training.epochs="]
    assert tab("train", str(OXFORD), "--set", "layers.") == [
        "layers.hidden.", "layers.output.",
    ]  # fmt: skip
    assert tab("train", str(OXFORD), "--set", "layers.hidden.un") == ["layers.hidden.units="]
    assert tab("train", str(OXFORD), "--set", "layers.hidden.type", "=", "f") == ["flatten"]
    assert tab("train", str(OXFORD), "--set", "neurons.cuba.th") == ["neurons.cuba.threshold="]
    assert "layers.0.weight_norm=" in tab("train", str(OXFORD), "-q", "--set", "layers.0.w")
    assert tab("train", "--set", "layers.") == []
    assert "training.optimizer.betas=" in tab("train", "--set", "training.optimizer.")
    assert tab("train", "--set", "nonsense.") == []
    assert tab("train", "--set", "/training/ep") == []


def test_values_of_set_are_offered_after_the_equals_sign(tab: Tab) -> None:
    key = ("train", str(OXFORD), "--set")
    assert tab(*key, "training.optimizer.type", "=") == ["adam", "adamw", "sgd"]
    assert tab(*key, "training.optimizer.type", "=", "ad") == ["adam", "adamw"]
    assert tab(*key, "layers.0.type", "=", "f") == ["flatten"]
    assert tab(*key, "layers.0.neuron", "=") == ["cuba"]
    assert tab(*key, "layers.0.weight_norm", "=") == ["true", "false"]
    assert tab(*key, "training.early_stopping", "=") == ["null"]
    assert tab(*key, "training.epochs", "=") == []
    # A Bash that does not take words apart there replaces the whole of it.
    assert tab(*key, "training.optimizer.type=s") == ["training.optimizer.type=sgd"]


def test_a_second_override_and_a_joined_option_are_completed(tab: Tab) -> None:
    words = ("train", str(OXFORD), "--set", "training.epochs", "=", "3", "--set", "training.see")
    assert tab(*words) == ["training.seed="]
    assert tab("train", "--engine", "=", "r") == ["reference"]


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff", b"3", b'{"layers": 3}'])
def test_a_broken_document_only_offers_less(content: bytes, tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert tab("train", "a.json", "--set", "training.ep") == ["training.epochs="]
    assert tab("train", "a.json", "--set", "layers.0.u") == []


# Suggestions agree with the language


def keys(document: Path) -> Iterator[str]:
    """Every key that can be reached by completing again and again."""
    waiting = [""]
    while waiting:
        typed = waiting.pop()
        for each in suggestions.overrides(typed, document):
            if each.text.endswith("."):
                waiting.append(each.text)
            else:
                yield each.text


def test_every_key_is_one_that_set_takes() -> None:
    reached = list(keys(OXFORD))
    assert len(reached) == len(set(reached)) > 40
    for key in ("time.steps=", "data.train.0.input.path=", "neurons.cuba.learn=", "name="):
        assert key in reached
    for key in reached:
        if key.startswith(("data.", "loss.", "classifier.")):
            continue  # of another type than the document has
        _, findings = check(OXFORD, [f"{key}null"], with_files=False)
        assert not {finding.code for finding in findings} & {"ND111", "ND112"}, key


def test_every_value_is_one_that_set_takes() -> None:
    tried = 0
    for key in keys(OXFORD):
        for each in suggestions.overrides(key, OXFORD):
            if key.endswith(".type=") or each.text.startswith(("data.", "loss.", "classifier")):
                continue  # brings along other fields
            tried += 1
            _, findings = check(OXFORD, [each.text], with_files=False)
            assert "ND103" not in {finding.code for finding in findings}, each.text
    assert tried > 15


@given(st.text(max_size=30))
def test_any_beginning_is_answered(typed: str) -> None:
    for each in suggestions.overrides(typed, OXFORD):
        assert each.text.startswith(typed)
        assert each.text[-1] in "=." or "=" in each.text


@given(st.lists(st.text(st.sampled_from("ab-"), min_size=1, max_size=4), max_size=4), st.data())
def test_words_are_joined_again_as_bash_took_them_apart(
    words: list[str], data: st.DataObject
) -> None:
    whole, apart = [], []
    for word in words:
        if data.draw(st.booleans()):
            value = data.draw(st.sampled_from(["", "x"]))
            whole.append(f"{word}={value}")
            apart += [word, "="] + ([value] if value else [])
        else:
            whole.append(word)
            apart.append(word)
    joined = list(_joined(apart))
    # "a=" and "b" cannot be told from "a=b": Bash hands over the same words.
    assert "".join(joined) == "".join(whole)
    if not any(word.endswith("=") for word in whole[:-1]):
        assert joined == whole


# Scripts, and the shells themselves


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed_and_the_shell_reads_it(
    shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["completion", shell])
    assert exit.value.code == 0
    script = capsys.readouterr().out
    assert "_NETDESC_COMPLETE" in script
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("given", [{}, {"COMP_WORDS": "netdesc"}, {"COMP_CWORD": "1"}])
def test_a_shell_that_does_not_say_what_was_typed_gets_nothing(
    shell: str,
    given: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("COMP_WORDS", "COMP_CWORD"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("_NETDESC_COMPLETE", f"{shell}_complete")
    with pytest.raises(SystemExit) as exit:
        main([])
    assert (exit.value.code, *capsys.readouterr()) == (1, "", "")


def test_a_place_that_is_no_number_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"COMP_WORDS": "netdesc", "COMP_CWORD": "abc"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("_NETDESC_COMPLETE", "bash_complete")
    with pytest.raises(SystemExit) as exit:
        main([])
    assert (exit.value.code, *capsys.readouterr()) == (1, "", "")


def test_an_unknown_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["completion", "cmd"])
    assert exit.value.code == 2
    assert "bash" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "netdesc"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m netdesc "$@"\n')
    program.chmod(0o755)
    (tmp_path / "a b.json").write_text("{}")
    script = """
        source <(netdesc completion bash)
        compopt() { echo "compopt $*"; }
        try() {
            COMP_WORDS=(netdesc "$@"); COMP_CWORD=$#
            _netdesc_completion netdesc
            echo "${COMPREPLY[@]}"
        }
        try train --set training.optimizer.type = ad
        try train --set training.ep
        try validate a
    """
    ended = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines() == [
        "adam adamw",
        "compopt -o nospace",
        "training.epochs=",
        "a\\ b.json",
    ]


@pytest.mark.parametrize(
    "words", [["tr"], ["train", "--set", "training."], ["explain", ""], ["show", "exa"]]
)
def test_a_tab_is_quick_and_leaves_torch_alone(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_NETDESC_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "\n".join(["netdesc", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    ended = netdesc_timed()
    assert ended.code == 0
    assert not {"torch", "numpy", "numba", "h5py"} & ended.loaded
    assert ended.cpu_s < 0.5


def test_suggestions_tell_other_shells_what_they_mean() -> None:
    found = {each.text: each.about for each in suggestions.overrides("training.", None)}
    assert found["training.epochs="] == "Passes over the training samples"
    assert json.dumps(found).isascii()
