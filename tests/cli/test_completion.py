"""Completion: the scripts for shells, and what is offered where."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.cli_process import exit_code, netdesc_process

from netdesc.cli.commands import COMMANDS
from netdesc.description.codes import ENTRIES

Tab = Callable[..., list[str]]


@pytest.fixture
def tab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Tab:
    """What Bash is told for the last of some words."""
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
    assert tab("train", "--engine", "r") == ["reference"]
    assert tab("init", "--template", "d") == ["digits"]
    assert tab("explain", "nd10") == [code for code in sorted(ENTRIES) if code.startswith("ND10")]
    assert tab("explain", "tau_g") == ["tau_grad"]
    tab("nothing", "")  # no failure


@pytest.mark.parametrize(
    "words",
    [
        ["validate"], ["show"], ["diff", "a.json"], ["train"],
        ["train", "--resume"], ["report"], ["evaluate"], ["run", "a.net"], ["import"], ["export"],
        ["events", "convert"], ["events", "show"], ["bench"],
    ],
)  # fmt: skip
def test_the_shell_offers_files_wherever_one_is_taken(words: list[str], tab: Tab) -> None:
    assert tab(*words, "")[:1] == ["file"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed_and_the_shell_reads_it(
    shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert exit_code("completion", shell) == 0
    script = capsys.readouterr().out
    assert f"_NETDESC_COMPLETE={shell}_complete" in script
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


@pytest.mark.parametrize("words", [[""], ["train", "--"], ["explain", ""]])
def test_a_tab_leaves_torch_alone(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_NETDESC_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "\n".join(["netdesc", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    ended = netdesc_process()
    assert ended.code == 0
    assert not {"torch", "numpy", "numba", "h5py"} & ended.loaded
