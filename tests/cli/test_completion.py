"""Completion: the scripts for shells, and what is offered where."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cli_process import exit_code, netdesc_process

from netdesc.cli.commands import COMMANDS
from netdesc.cli.completion_values import complete_override
from netdesc.description import check
from netdesc.description.codes.explain import ENTRIES
from netdesc.resources import shipped

OXFORD = shipped("examples/oxford.json")

Tab = Callable[..., list[str]]


@pytest.fixture
def tab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Tab:
    """What Bash is told for the last of some words, of which it has split off each ``=``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("_NETDESC_COMPLETE", "bash_complete")

    def press(*words: str) -> list[str]:
        monkeypatch.setenv("COMP_WORDS", "\n".join(["netdesc", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        assert exit_code() == 0
        lines = [line.split(",", 1) for line in capsys.readouterr().out.splitlines() if line]
        return [text if kind == "plain" else kind for kind, text in lines]

    return press


def test_commands_and_options_are_offered(tab: Tab) -> None:
    assert tab("") == list(COMMANDS)
    assert tab("comp") == ["completion", "compile-and-train", "compile"]
    assert "--json" in tab("train", "--")
    assert tab("train", "--engine", "") == ["auto", "reference", "cpu", "cuda"]
    assert tab("train", "--engine", "=", "r") == ["reference"]
    assert tab("init", "--template", "d") == ["digits"]
    assert tab("bench", "") == ["layer", "neurons", "oxford", "sweep"]
    assert tab("explain", "nd10") == [code for code in sorted(ENTRIES) if code.startswith("ND10")]
    tab("nothing", "")  # no failure


@pytest.mark.parametrize(
    "words",
    [
        ["validate"], ["format"], ["migrate", "a.json"], ["show"], ["diff", "a.json"], ["train"],
        ["train", "--resume"], ["report"], ["evaluate"], ["run", "a.net"], ["import"], ["export"],
        ["events", "convert"], ["events", "show"], ["bench", "oxford"],
    ],
)  # fmt: skip
def test_the_shell_offers_files_wherever_one_is_taken(words: list[str], tab: Tab) -> None:
    assert tab(*words, "")[:1] == ["file"]


def test_keys_of_set_are_offered(tab: Tab) -> None:
    assert tab("train", "--set", "training.ep") == ["training.epochs="]
    assert tab("train", str(OXFORD), "--set", "layers.") == [
        "layers.hidden.", "layers.output.",
    ]  # fmt: skip
    assert tab("train", str(OXFORD), "--set", "layers.hidden.un") == ["layers.hidden.units="]
    assert tab("train", str(OXFORD), "--set", "neurons.cuba.th") == ["neurons.cuba.threshold="]
    assert "layers.0.weight_norm=" in tab("train", str(OXFORD), "-q", "--set", "layers.0.w")
    assert tab("train", "--set", "layers.") == []
    assert "training.optimizer.betas=" in tab("train", "--set", "training.optimizer.")
    assert tab("train", "--set", "nonsense.") == []
    assert tab("train", "--set", "/training/ep") == []
    words = ("train", str(OXFORD), "--set", "training.epochs", "=", "3", "--set", "training.see")
    assert tab(*words) == ["training.seed="]


def test_values_of_set_are_offered_after_the_equals_sign(tab: Tab) -> None:
    key = ("train", str(OXFORD), "--set")
    assert tab(*key, "training.optimizer.type", "=") == ["adam", "adamw", "radam", "sgd"]
    assert tab(*key, "training.optimizer.type", "=", "ad") == ["adam", "adamw"]
    assert tab(*key, "layers.hidden.type", "=", "f") == ["flatten"]
    assert tab(*key, "layers.0.neuron", "=") == ["null", "cuba"]
    assert tab(*key, "layers.0.weight_norm", "=") == ["true", "false"]
    assert tab(*key, "training.early_stopping", "=") == ["null"]
    assert tab(*key, "training.epochs", "=") == []
    # A Bash that does not split words there replaces the whole word.
    assert tab(*key, "training.optimizer.type=s") == ["training.optimizer.type=sgd"]


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff", b"3", b'{"layers": 3}'])
def test_a_broken_document_only_offers_less(content: bytes, tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert tab("train", "a.json", "--set", "training.ep") == ["training.epochs="]
    assert tab("train", "a.json", "--set", "layers.0.u") == []


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such pipes")
def test_pipes_and_huge_documents_are_not_read(tab: Tab, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with (tmp_path / "b.json").open("wb") as file:
        file.write(b'{"layers": [{"name": "first"}]}')
        file.truncate(1 << 40)
    assert tab("train", "a.json", "--set", "layers.") == []
    assert tab("train", "b.json", "--set", "layers.") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("number", [None, "x", " "])
def test_without_words_nothing_is_offered(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shell: str,
    number: str | None,
) -> None:
    monkeypatch.setenv("_NETDESC_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", "netdesc nothing")
    if number is None:
        monkeypatch.delenv("COMP_WORDS")
    else:
        monkeypatch.setenv("COMP_CWORD", number)
    assert exit_code() == 0
    ended = capsys.readouterr()
    assert (ended.out.strip(), ended.err) == ("", "")


def test_names_that_cannot_be_printed_are_not_offered(tab: Tab, tmp_path: Path) -> None:
    document = {"layers": [{"name": name} for name in ("a\x1b[31m", "b\nplain,c", "d")]}
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert tab("train", "a.json", "--set", "layers.") == ["layers.d."]


# Completions agree with the language


def complete(typed: str) -> list[str]:
    context = click.Context(click.Command("train"))
    context.params = {"file": OXFORD}
    return [item.value for item in complete_override(context, typed)]


def keys() -> Iterator[str]:
    """Every key that can be reached by completing again and again."""
    waiting = [""]
    while waiting:
        for text in complete(waiting.pop()):
            if text.endswith("."):
                waiting.append(text)
            else:
                yield text


def test_every_key_is_one_that_set_takes() -> None:
    reached = list(keys())
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
    for key in keys():
        for text in complete(key):
            if key.endswith(".type=") or text.startswith(("data.", "loss.", "classifier")):
                continue  # brings along other fields
            tried += 1
            _, findings = check(OXFORD, [text], with_files=False)
            assert "ND103" not in {finding.code for finding in findings}, text
    assert tried > 15


@given(st.text(max_size=30))
def test_any_beginning_is_answered(typed: str) -> None:
    for text in complete(typed):
        assert text.startswith(typed)
        assert text[-1] in "=." or "=" in text


# Scripts, and the shells themselves


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed_and_the_shell_reads_it(
    shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert exit_code("completion", shell) == 0
    script = capsys.readouterr().out
    assert f"_NETDESC_COMPLETE={shell}_complete" in script
    assert "*[=.] ]]" in script or shell == "fish"  # click's script has the place that we extend
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "netdesc"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m netdesc "$@"\n')
    program.chmod(0o755)
    script = """
        source <(netdesc completion bash)
        compopt() { echo "compopt $1 $2"; }
        try() {
            COMPREPLY=(); COMP_WORDS=(netdesc "$@"); COMP_CWORD=$#
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
        "compopt -o default",
        "",
    ]


@pytest.mark.parametrize("words", [["train", "--set", "training."], ["explain", ""]])
def test_a_tab_leaves_torch_alone(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_NETDESC_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "\n".join(["netdesc", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    ended = netdesc_process()
    assert ended.code == 0
    assert not {"torch", "numpy", "numba", "h5py"} & ended.loaded
