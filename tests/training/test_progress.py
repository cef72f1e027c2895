"""What a run says on standard error and in its log."""

import errno
import io
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.training_task import read_metrics, read_record, train, write_task

from netdesc.api.load import load
from netdesc.training.progress import Display, Log, build_display


def show(
    display: Display,
    epoch: int,
    now: float,
    best: tuple[str, float] = ("loss", 44918.7),
    **metrics: float,
) -> None:
    row = {"epoch": epoch, "loss": 46478.25, "learning_rate": 0.001} | metrics
    display.show(row, best, 5000, "", now)


def test_a_progress_line(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    assert display.is_due(now=0.0)
    show(display, 1, now=100.0)
    assert [display.is_due(now) for now in (104.9, 105.0)] == [False, True]
    figures = {"accuracy": 0.5, "validation_loss": 3.5, "validation_accuracy": 0.9716}
    show(display, 101, now=100.5, best=("validation_accuracy", 0.981), **figures)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "epoch    1/5000  loss 46,478.2  best 44,918.7  learning rate 0.001"
    assert second == (
        "epoch  101/5000  loss 46,478.2  validation 3.5  validation accuracy 97.2%  best 98.1%"
        "  0:00:24 left  5.0 ms/epoch  learning rate 0.001"
    )
    assert len(first) < 80


def test_the_time_left_follows_the_recent_speed(capsys: pytest.CaptureFixture[str]) -> None:
    """The time left does not depend on the speed at the start of the run."""
    display = Display()
    epoch = 0
    for moment in range(0, 100, 5):
        epoch += 1 if moment < 60 else 100  # 5 s an epoch, then 50 ms
        show(display, epoch, now=float(moment))
    lines = capsys.readouterr().err.splitlines()
    assert "5.00 s/epoch" in lines[11]
    assert "50.0 ms/epoch" in lines[-1]
    left_s = (5000 - epoch) * 0.05
    assert (
        f"{int(left_s // 3600)}:{int(left_s // 60) % 60:02d}:{round(left_s % 60):02d} left"
        in (lines[-1])
    )


def test_sums_are_shown_per_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = write_task(tmp_path, pairs=5, validation_split=0.4, epochs=1)
    run = train(load(task), run_dir=tmp_path / "run", progress="plain")
    row = read_metrics(run.path)[0]
    line = next(line for line in capsys.readouterr().err.splitlines() if "epoch 1/1" in line)
    training, validation = row["loss"] / 3, row["validation_loss"] / 2
    assert f"loss {training:,.6g} per sample  validation {validation:,.6g}  best" in line
    assert run.message == (
        f"done after 1 epoch: best validation loss {validation:,.6g} per sample in epoch 1"
    )


@pytest.mark.parametrize(
    ("pairs", "reduction", "divisor"), [(1, "sum", 1), (4, "sum", 4), (4, "mean", 1)]
)
def test_losses_without_validation_are_shown_per_sample_too(
    tmp_path: Path, pairs: int, reduction: str, divisor: int
) -> None:
    task = write_task(tmp_path, pairs=pairs, epochs=1)
    description = load(task, {"loss.reduction": reduction})
    run = train(description, run_dir=tmp_path / "run", progress="quiet")
    unit = " per sample" if divisor > 1 else ""
    assert f"loss {read_metrics(run.path)[0]['loss'] / divisor:,.6g}{unit} in" in run.message


def test_the_log_gets_messages_from_before_it_was_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with build_display("quiet") as display, Log(tmp_path / "log") as log:
        display.warn("three events are left out")
        display.attach_log(log)
        display.info("training")
        show(display, 1, now=0.0)
        show(display, 2, now=1.0)  # too soon for the log
    lines = [line[21:] for line in (tmp_path / "log").read_text().splitlines()]
    assert lines[:2] == ["warning: three events are left out", "training"]
    assert len(lines) == 3
    captured = capsys.readouterr()
    assert captured.err == "warning: three events are left out\n"
    assert captured.out == ""


def test_training_goes_on_if_nobody_can_write_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    task = write_task(tmp_path / "task", epochs=3)
    monkeypatch.setattr(sys, "stderr", Full())
    assert train(load(task), run_dir=tmp_path / "run", progress="plain").status == "done"


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(ValueError, match='unknown progress "loud"'):
        build_display("loud")  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_terminal_gets_one_line_without_colour(tmp_path: Path) -> None:
    document = write_task(tmp_path / "task", epochs=20)
    script = "import sys, netdesc\n"
    script += "netdesc.train(sys.argv[1], run_dir=sys.argv[2], engine='reference')"
    reader, writer = os.openpty()
    environment = os.environ | {"NO_COLOR": "1", "TERM": "xterm"}
    command = [sys.executable, "-c", script, document, tmp_path / "run"]
    with subprocess.Popen(
        command, stderr=writer, stdout=subprocess.PIPE, env=environment
    ) as process:
        os.close(writer)
        text = read_terminal(reader)
        assert process.stdout.read() == b""
    assert process.returncode == 0, text
    assert "epoch 20/20" in text
    assert "\r\x1b[2K" in text  # the line was drawn anew
    assert "\x1b[3" not in text  # no colour
    assert text.index("epoch 20/20") < text.index("done after 20 epochs")


def read_terminal(descriptor: int, timeout_s: float = 120.0) -> str:
    """All output until the other end is closed."""
    text, end = b"", time.monotonic() + timeout_s
    while time.monotonic() < end:
        if select.select([descriptor], [], [], 0.5)[0]:
            try:
                text += os.read(descriptor, 65536)
            except OSError:  # closed
                break
    os.close(descriptor)
    return text.decode()


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo terminal")
@pytest.mark.parametrize("term", [None, "xterm", "dumb"])
def test_a_closed_pipe_or_terminal_does_not_stop_a_run(tmp_path: Path, term: str | None) -> None:
    """As in ``netdesc train … 2>&1 | head``, and after ``disown`` and a closed window."""
    document = write_task(tmp_path / "task", epochs=3)
    reader, writer = os.openpty() if term else os.pipe()
    os.close(reader)  # every write is an error from now on
    command = [sys.executable, "-m", "netdesc", "train", document, "--run-dir", tmp_path / "run"]
    command += ["--engine", "reference"]
    environment = os.environ | {"TERM": term or "dumb"}
    ended = subprocess.run(command, stdout=writer, stderr=writer, check=False, env=environment)
    os.close(writer)
    assert ended.returncode == 0
    assert len(read_metrics(tmp_path / "run")) == 3
    assert read_record(tmp_path / "run")["status"] == "done"
    assert (tmp_path / "run" / "network.net").exists()
