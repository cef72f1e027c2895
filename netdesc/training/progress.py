"""What the user sees of a run, all of it on standard error."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from netdesc.training.run_logs import Log

Style = Literal["auto", "live", "plain", "quiet"]
"""``live`` keeps one line up to date, ``plain`` prints a line now and then, ``quiet`` prints only
warnings; ``auto`` is live in a terminal and plain elsewhere."""

_LIVE_INTERVAL_S = 0.25
_PLAIN_INTERVAL_S = 5.0
_LOG_INTERVAL_S = 30.0
_RECENT_S = 20.0
"""How far back the speed looks from which the time that is left is told."""


@dataclass(frozen=True)
class Scale:
    """What losses are divided by for a reader: the numbers of samples of each part, or 1.

    Sums over unlike numbers of samples do not compare, and their means do.
    """

    train: int = 1
    validation: int = 1

    @property
    def unit(self) -> str:
        """What follows a loss."""
        return "" if self == Scale() else " a sample"


@dataclass(frozen=True)
class RunStatus:
    """How a run stands after an epoch, its losses on the ``Scale`` of a reader."""

    epoch: int
    """Complete epochs."""
    epochs: int
    loss: float
    validation_loss: float | None
    best_loss: float
    rate: float
    accuracy: float | None = None
    """Share of right predictions, of validation where there is one."""
    unit: str = ""
    """What the loss is for, where that is not the sum over the part: `` a sample``."""


class Display:
    """Prints messages and, at intervals, the status of the run; both go into the log as well.

    What is said before ``keep`` hands over the log reaches it then. Where ``is_quiet``, warnings
    alone are printed.
    """

    interval_s = _PLAIN_INTERVAL_S

    def __init__(self, is_quiet: bool = False) -> None:
        self._is_quiet = is_quiet
        self._log: Log | None = None
        self._unlogged: list[str] = []
        self._due = self._log_due = 0.0
        self._marks: deque[tuple[float, int]] = deque()
        """Moments (``time.perf_counter()``), and how many epochs were complete then."""

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def keep(self, log: Log) -> None:
        """Writes everything that was and will be said into ``log``."""
        self._log = log
        for text in self._unlogged:
            log.write(text)
        self._unlogged.clear()

    def say(self, text: str) -> None:
        """Tells something that happened. StorageError where the log cannot be written."""
        if not self._is_quiet:
            self.print(text)
        self._write(text)

    def warn(self, text: str) -> None:
        """Tells something that the user should know even when nothing else is shown."""
        self.print(f"warning: {text}")
        self._write(f"warning: {text}")

    def _write(self, text: str) -> None:
        if self._log is None:
            self._unlogged.append(text)
        else:
            self._log.write(text)

    def is_due(self, now: float) -> bool:
        """Whether the status should be shown again; ``now`` is ``time.perf_counter()``."""
        return now >= self._due

    def show(self, status: RunStatus, now: float) -> None:
        """Shows the status, and from the second call on the time that is left."""
        self._due = now + self.interval_s
        line = _line(status, self._seconds_an_epoch(status.epoch, now))
        if not self._is_quiet:
            self.render(line)
        if now >= self._log_due or status.epoch == status.epochs:
            self._log_due = now + _LOG_INTERVAL_S
            self._write(line)

    def _seconds_an_epoch(self, epoch: int, now: float) -> float | None:
        """The recent speed; None before there is any. A machine may be busy for a while only."""
        marks = self._marks
        marks.append((now, epoch))
        while len(marks) > 2 and now - marks[1][0] >= _RECENT_S:
            marks.popleft()
        began, first = marks[0]
        return (now - began) / (epoch - first) if epoch > first else None

    def print(self, text: str) -> None:
        """Puts a message on standard error.

        Training goes on where its reader has closed the pipe, as ``head`` does.
        """
        with contextlib.suppress(BrokenPipeError):
            print(text, file=sys.stderr, flush=True)

    def render(self, line: str) -> None:
        """Puts the status on standard error."""
        self.print(line)

    def close(self) -> None:
        """Ends the display; nothing is shown after it."""


class LiveDisplay(Display):
    """One line that is drawn again and again; messages scroll above it."""

    interval_s = _LIVE_INTERVAL_S

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False)
        # Redrawn from the loop, without a thread that would take time from the kernels.
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False)

    def print(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def render(self, line: str) -> None:
        from rich.text import Text

        self._live.start()
        self._live.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)

    def close(self) -> None:
        self._live.stop()


_DISPLAYS: dict[str, Callable[[], Display]] = {
    "live": LiveDisplay,
    "plain": Display,
    "quiet": lambda: Display(is_quiet=True),
}


def build_display(style: Style) -> Display:
    """The display for a style; ValueError for an unknown one."""
    if style == "auto":
        is_terminal = sys.stderr is not None and sys.stderr.isatty()
        style = "live" if is_terminal and os.environ.get("TERM") != "dumb" else "plain"
    if style not in _DISPLAYS:
        raise ValueError(f'unknown progress "{style}"; known are auto, {", ".join(_DISPLAYS)}')
    return _DISPLAYS[style]()


def count_epochs(number: int) -> str:
    """``1 epoch``, ``2 epochs``."""
    return f"{number} epoch" if number == 1 else f"{number} epochs"


def _line(status: RunStatus, each_s: float | None) -> str:
    width = len(str(status.epochs))
    parts = [
        f"epoch {status.epoch:{width}d}/{status.epochs}",
        f"loss {status.loss:,.6g}{status.unit}",
    ]
    if status.validation_loss is not None:
        parts.append(f"validation {status.validation_loss:,.6g}")
    parts.append(f"best {status.best_loss:,.6g}")
    if status.accuracy is not None:
        part = "" if status.validation_loss is None else "validation "
        parts.append(f"{part}accuracy {status.accuracy:.1%}")
    if each_s is not None:
        left = timedelta(seconds=round(each_s * (status.epochs - status.epoch)))
        each = f"{each_s:.2f} s" if each_s >= 1 else f"{1e3 * each_s:.1f} ms"
        parts += [f"{left} left", f"{each}/epoch"]
    # Last, where a narrow terminal cuts the line.
    parts.append(f"learning rate {status.rate:.3g}")
    return "  ".join(parts)
