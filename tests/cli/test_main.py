"""The command line itself: what it loads, how it ends, and what it prints where."""

import contextlib
import io
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from support.cli_process import exit_code, netdesc_process

from netdesc.cli.commands import COMMANDS, SUGGESTIONS
from netdesc.cli.failures import exit_with
from netdesc.cli.main import netdesc
from netdesc.cli.output import Output

ROOT = Path(__file__).parents[2]


def fails(error: BaseException, output: Output | None = None) -> int:
    """The exit code of a command that ends with ``error``."""
    with pytest.raises(type(error)) as raised:
        raise error
    with pytest.raises(SystemExit) as exit:
        exit_with(output or Output(), raised.value)
    assert isinstance(exit.value.code, int)
    return exit.value.code


def test_what_fails_behind_an_interrupt_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    error = KeyError("a library that is loaded by half")
    error.__context__ = OSError()
    error.__context__.__context__ = KeyboardInterrupt()
    assert fails(error) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_help_lists_every_command_without_loading_any() -> None:
    ended = netdesc_process("--help")
    assert all(f"  {name} " in ended.out for name in COMMANDS)
    assert not {"torch", "numpy", "pydantic", "rich", "netdesc.cli.validate"} & ended.loaded


def test_version_and_python_m() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "netdesc", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("netdesc 0.")


def every_command() -> Iterator[str]:
    """Names of all commands, those below groups with the group before them."""
    for name in COMMANDS:
        command = netdesc.get_command(click.Context(netdesc), name)
        below = command.commands if isinstance(command, click.Group) else [""]
        yield from (f"{name} {each}".rstrip() for each in below)


def help_of(name: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert exit_code(*name.split(), "--help") == 0
    return out.getvalue()


@pytest.mark.parametrize("name", list(every_command()))
def test_every_command_has_a_help_text_with_an_example(name: str) -> None:
    assert f"netdesc {name}" in help_of(name).partition("Example")[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vaildate"], 'Did you mean "validate"?'),
        (["resume", "runs/x"], 'Did you mean "train --resume RUN"?'),
        (["validate"], "Missing argument"),
        (["explain", "--nonsense", "ND101"], "--nonsense"),
        (["schema", "--write", "--check"], "exclude each other"),
        (["explain", "spike_fils"], 'did you mean "spike_files"?'),
        (["train", "x.json", "--lr", "1"], "--set training.optimizer.learning_rate=…"),
        (["train", "x.json", "--devise", "cpu"], "'--device'"),
        (["train", "x.json", "--device", "gpu"], "'cuda'"),
        (["mine.json"], 'Did you mean "compile-and-train mine.json"?'),
        (["events", "convert", "a.bs1"], "OUT"),
        (["show", "x.json", "--gpu"], "No such option '--gpu'.\n"),
        (["completion"], "bash, zsh, fish"),
        (["train", "--resume", "r", "--seed", "5"], "weights.path=r/checkpoints/best.safetensors"),
        (["export", "runs/x", "-o", "x.gguf"], "netdesc exports .net"),
        (["report", "runs/x", "-o", "x.json"], "x.json: "),
    ],
)
def test_usage_errors_exit_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(*arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("word", SUGGESTIONS)
def test_what_other_programs_call_a_command_leads_to_one_that_exists(word: str) -> None:
    assert word not in COMMANDS
    typed = SUGGESTIONS[word].split()
    names = itertools.takewhile(lambda each: each.islower() and each[0] != "-", typed)
    text = help_of(" ".join(names))
    assert all(each in text for each in typed if each.startswith("--"))


class Diverged(ValueError):
    exit_code = 4


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (Diverged("the loss is nan"), 4, "the loss is nan"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device", "a/b"), 3, "a/b: No space left on device"),
        (FileExistsError(17, "x", "a/b"), 2, "a/b"),
        (MemoryError(), 3, "memory"),
        (ModuleNotFoundError("no", name="torch.nn"), 3, "pip install torch"),
        (click.UsageError("no such thing"), 2, "no such thing"),
    ],
)
def test_known_failures_are_one_message(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fails(error) == code
    captured = capsys.readouterr()
    (line,) = captured.err.strip().splitlines()
    assert message in line
    assert captured.out == ""


@pytest.mark.parametrize("error", [ValueError("odd"), ModuleNotFoundError("x", name="netdesc.y")])
def test_a_bug_exits_70_and_leaves_a_report(
    error: Exception,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert fails(error) == 70
    (report,) = tmp_path.iterdir()
    message = capsys.readouterr().err
    assert str(report) in message
    assert "Traceback" not in message
    assert "Traceback" in report.read_text()
    assert str(error) in report.read_text()


def test_a_bug_with_nowhere_to_report_prints_everything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere at all")
    assert fails(ZeroDivisionError("division by zero")) == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_failure_with_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.as_json = True
    assert fails(Diverged("the loss is nan"), output) == 4
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {
        "status": "failed",
        "exit_code": 4,
        "message": "the loss is nan",
    }
    assert captured.err.strip() == "error: the loss is nan"


def test_a_closed_pipe_does_not_change_how_a_command_ends() -> None:
    code = (
        "import sys; from netdesc.cli.output import Output\n"
        "output = Output()\n"
        "for _ in range(100): output.print('x' * 10_000)\n"
        "output.flush(); sys.exit(7)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(20) == 7
    assert process.stderr.read() == b""
    process.stderr.close()


def _in_shell(line: str) -> subprocess.CompletedProcess[str]:
    command = f'"{sys.executable}" -m netdesc {line}'
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_message() -> None:
    line = "validate --format json nowhere.json > /dev/full"
    ended = _in_shell(line)
    assert (ended.returncode, ended.stderr) == (3, "error: No space left on device\n")
    assert _in_shell(f"{line} 2>&1").returncode == 3


@pytest.mark.skipif(os.name != "posix", reason="needs bash")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("validate --format github nowhere.json >&- 2>&-", 3),
        ("explain ND101 >&-", 0),
        ("validate - <&-", 3),
    ],
)
def test_closed_streams_change_nothing_else(line: str, code: int) -> None:
    ended = _in_shell(line)
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr
    assert "bug" not in ended.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs names that are no text")
@pytest.mark.parametrize("name", ["caf\udce9.json", "é.json"])
def test_json_loses_no_sign_of_a_name(name: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "netdesc", "validate", "--format", "json", name],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert json.loads(ended.stdout)["diagnostics"][0]["file"] == name


def test_quiet_keeps_results_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.quiet = True
    output.print("result")
    output.info("remark")
    output.error("fault")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("result\n", "fault\n")


def test_tables_are_plain_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Output().print_table(["layer", "synapses"], [["[red]hidden", 51200], ["output", 7]])
    lines = capsys.readouterr().out.splitlines()
    assert "\x1b" not in "".join(lines)
    assert lines[-2:] == ["[red]hidden     51,200", "output               7"]
