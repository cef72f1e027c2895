"""Prints progress and messages of a run, or shows them in a notebook, and writes them to a log."""

import contextlib
import html
import importlib
import os
import sys
import time
from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from netdesc.description.diagnostics.wording import escape
from netdesc.runs.errors import storing
from netdesc.runs.folder import open_regular
from netdesc.runs.metrics_file import LOWER_IS_BETTER

Style = Literal["auto", "live", "plain", "quiet", "silent"]
"""``live`` redraws one line, in a notebook with a bar; ``plain`` prints a line every few seconds,
``quiet`` prints only warnings, ``silent`` nothing. ``auto`` means ``live`` in a terminal and in a
notebook, and ``plain`` elsewhere."""

Best = tuple[str, float]
"""The metric of the best epoch, and its value there."""

_LIVE_INTERVAL_S = 0.25
_PLAIN_INTERVAL_S = 5.0
_LOG_INTERVAL_S = 30.0
_RECENT_S = 20.0
"""The time left is estimated from the speed over a period of about this many seconds."""


class Log(contextlib.AbstractContextManager["Log"]):
    """Writes ``train.log``: messages and progress lines, one line each, with their local time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with storing(path):
            self._file = open(path, "ab", 0, opener=open_regular)  # noqa: SIM115  (__exit__ closes it)

    def write(self, text: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        with storing(self._path):
            self._file.write(f"{stamp}  {escape(text)}\n".encode())

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Display(contextlib.AbstractContextManager["Display"]):
    """Prints messages and, at intervals, a progress line. Writes both to the log.

    Messages before ``attach_log`` are kept until ``attach_log`` writes them. If ``is_quiet``, only
    warnings are printed, and not even they if ``is_silent``.
    """

    interval_s = _PLAIN_INTERVAL_S

    def __init__(self, is_quiet: bool = False, is_silent: bool = False) -> None:
        self._is_quiet, self._is_silent = is_quiet or is_silent, is_silent
        self._log: Log | None = None
        self._unlogged: list[str] = []
        self._due = self._log_due = 0.0
        self._marks: deque[tuple[float, int]] = deque()
        """Pairs of a ``time.perf_counter()`` and the number of complete epochs at that time."""

    def __exit__(self, *_: object) -> None:
        self.close()

    def attach_log(self, log: Log) -> None:
        """Writes all messages to ``log``. Raises StorageError if it cannot be written."""
        self._log = log
        for text in self._unlogged:
            log.write(text)
        self._unlogged.clear()

    def info(self, text: str) -> None:
        """Prints and logs a message. Raises StorageError if the log cannot be written."""
        if not self._is_quiet:
            self.print(text)
        self.log(text)

    def warn(self, text: str) -> None:
        """Prints (also if ``is_quiet``) and logs a warning."""
        if not self._is_silent:
            self.print(f"warning: {text}")
        self.log(f"warning: {text}")

    def log(self, text: str) -> None:
        """Logs a message without printing it."""
        if self._log is None:
            self._unlogged.append(text)
        else:
            self._log.write(text)

    def is_due(self, now: float) -> bool:
        """Whether the next progress line is due at ``now``, a time of ``time.perf_counter()``."""
        return now >= self._due

    def show_count(self, what: str, number: int, limit: int) -> None:
        """Prints at intervals how far work before training is: ``what 3 of at most 12``."""
        now = time.perf_counter()
        if self.is_due(now) and not self._is_quiet:
            self._due = now + self.interval_s
            self.render(f"{what} {number} of at most {limit}", number / limit)

    def show(
        self, metrics: Mapping[str, Any], best: Best, epochs: int, unit: str, now: float
    ) -> None:
        """Prints the progress line. From the second call on, the line includes the time left.

        ``metrics`` of an epoch and the ``best`` are as ``Scale`` shows them, with its ``unit``.
        """
        self._due, epoch = now + self.interval_s, metrics["epoch"]
        line = _format(metrics, best, epochs, unit, self._seconds_per_epoch(epoch, now))
        if not self._is_quiet:
            self.render(line, epoch / epochs)
        if now >= self._log_due or epoch == epochs:
            self._log_due = now + _LOG_INTERVAL_S
            self.log(line)

    def _seconds_per_epoch(self, epoch: int, now: float) -> float | None:
        """Returns the mean over the last ``_RECENT_S`` seconds, None in the first call."""
        marks = self._marks
        marks.append((now, epoch))
        while len(marks) > 2 and now - marks[1][0] >= _RECENT_S:
            marks.popleft()
        began, first = marks[0]
        return (now - began) / (epoch - first) if epoch > first else None

    def print(self, text: str) -> None:
        """Prints ``text`` escaped, as one line, on standard error.

        Training goes on if the pipe is closed, the terminal has vanished, or the disk is full.
        """
        with contextlib.suppress(OSError):
            print(escape(text), file=sys.stderr, flush=True)

    def render(self, line: str, fraction: float) -> None:
        """Prints the progress line on standard error. ``fraction`` is the part that is done."""
        self.print(line)

    def close(self) -> None:
        """Ends the progress line. Messages can still be printed after it."""


class LiveDisplay(Display):
    """Redraws the progress line in place. Messages are printed above it."""

    interval_s = _LIVE_INTERVAL_S

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False)
        # No refresh thread, because that thread would take time from the kernels.
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False)

    def print(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._console.print(escape(text), markup=False, emoji=False, soft_wrap=True)

    def render(self, line: str, fraction: float) -> None:
        from rich.text import Text

        with contextlib.suppress(OSError):
            self._live.start()
            self._live.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._live.stop()


class NotebookDisplay(Display):
    """Redraws a bar with the progress line in the output of a notebook's cell.

    Messages are printed there on standard output, warnings on standard error, which is coloured.
    """

    interval_s = _LIVE_INTERVAL_S
    _handle: Any = None

    def info(self, text: str) -> None:
        with contextlib.suppress(OSError):
            print(escape(text), flush=True)
        self.log(text)

    def render(self, line: str, fraction: float) -> None:
        bar = f'<progress value="{fraction:.4f}" max="1" style="width:100%"></progress>'
        text = f'<pre style="margin:0;white-space:pre-wrap">{html.escape(line)}</pre>'
        data = {"text/html": bar + text, "text/plain": line}
        if self._handle is None:
            display = importlib.import_module("IPython.display").display
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)


def format_metric(name: str, value: float) -> str:
    """Formats a loss, or as a percentage an accuracy or a confidence."""
    return f"{value:,.6g}" if name in LOWER_IS_BETTER else f"{value:.1%}"


def build_display(style: Style) -> Display:
    """Returns the display for a style. Raises ValueError if the style is unknown."""
    ipython = sys.modules.get("IPython")  # only its kernels can show HTML
    has_kernel = getattr(ipython and ipython.get_ipython(), "kernel", None) is not None
    if style in ("auto", "live") and has_kernel:
        return NotebookDisplay()
    if style == "auto":
        is_terminal = sys.stderr is not None and sys.stderr.isatty()
        style = "live" if is_terminal and os.environ.get("TERM") != "dumb" else "plain"
    if style not in get_args(Style):
        raise ValueError(f'unknown progress "{style}"; known are {", ".join(get_args(Style))}')
    return LiveDisplay() if style == "live" else Display(style == "quiet", style == "silent")


def _format(
    metrics: Mapping[str, Any], best: Best, epochs: int, unit: str, epoch_s: float | None
) -> str:
    epoch, validation_loss = metrics["epoch"], metrics.get("validation_loss")
    parts = [f"epoch {epoch:{len(str(epochs))}d}/{epochs}", f"loss {metrics['loss']:,.6g}{unit}"]
    if validation_loss is not None:
        parts.append(f"validation {validation_loss:,.6g}")
    scores = [name for name in ("validation_accuracy", "accuracy") if name in metrics]
    parts += [f"{name.replace('_', ' ')} {metrics[name]:.1%}" for name in scores[:1]]
    parts.append(f"best {format_metric(*best)}")
    if epoch_s is not None:
        left = timedelta(seconds=round(epoch_s * (epochs - epoch)))
        duration = f"{epoch_s:.2f} s" if epoch_s >= 1 else f"{1e3 * epoch_s:.1f} ms"
        parts += [f"{left} left", f"{duration}/epoch"]
    # The learning rate comes last, because a narrow terminal cuts off the end of the line.
    parts.append(f"learning rate {metrics['learning_rate']:.3g}")
    return "  ".join(parts)
