"""Names the processes of a group, and says which of them is lost and why.

The processes share a store, a table that one of them holds. When a process joins, it writes there
who it is; when it fails, why. So if a connection breaks, the user gets one message with the cause.
"""

import contextlib
import json
import os
import socket
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from netdesc.description.diagnostics.wording import amount
from netdesc.runs.errors import RunError
from netdesc.stop_signals import STOPPED

if TYPE_CHECKING:  # torch may be built without it
    from torch._C._distributed_c10d import Store

LIMIT_VARIABLE = "NETDESC_WAIT_S"
"""The longest time in seconds that a process waits for others, also while they compile kernels."""
LIMIT_S = 600.0
_GRACE_S = 3.0
"""Seconds in which the others say, after a connection broke, that they are there."""
_LINGER_S = 15.0
"""Seconds in which a process that ends waits for the others to read why; they may be busy."""
_POLL_S = 0.02


class LostRankError(RunError):
    """Another process of the group has ended, has failed, or does not answer.

    If ``is_told``, another process prints the reason.
    """

    def __init__(self, message: str, exit_code: int = STOPPED, is_told: bool = False) -> None:
        super().__init__(message, exit_code)
        self.is_told = is_told


def wait_limit() -> timedelta:
    """Returns the limit that ``LIMIT_VARIABLE`` sets. RunError if that is no positive number."""
    text = os.environ.get(LIMIT_VARIABLE) or str(LIMIT_S)
    with contextlib.suppress(ValueError, OverflowError):
        if (limit := timedelta(seconds=float(text))) > timedelta():
            return limit
    raise RunError(f"{LIMIT_VARIABLE} is {text!r}; it must be a number of seconds", exit_code=2)


class Members:
    """The ``size`` processes of a group, which share ``store``. This process is ``rank``."""

    def __init__(self, store: "Store", rank: int, size: int) -> None:
        self._store, self.rank, self.size = store, rank, size
        self._limit_s = wait_limit().total_seconds()
        self._names: list[str] = []

    def sign_in(self, gpu: str) -> None:
        """Waits until all processes have joined. RunError if two have the same rank or GPU.

        ``gpu`` is the id of this process's GPU, empty on the CPU. LostRankError names the processes
        that do not join within the limit.
        """
        own = json.dumps([f"process {os.getpid()} on {socket.gethostname()}", gpu])
        if self._store.compare_set(f"member/{self.rank}", "", own).decode() != own:
            hint = "start all processes of a training together, each with a RANK of its own"
            raise RunError(f"another process has joined as rank {self.rank} already; {hint}", 2)
        if missing := self._await("member", self._limit_s):
            names = ", ".join(f"rank {rank}" for rank in missing)
            limit = f"within {self._limit_s:g} s, which {LIMIT_VARIABLE} sets"
            raise LostRankError(f"{names} of {self.size} processes did not join {limit}")
        users: dict[str, int] = {}
        for rank in range(self.size):
            name, gpu = json.loads(self._store.get(f"member/{rank}"))
            self._names.append(f"rank {rank} ({name})")
            other = users.setdefault(gpu or f"none {rank}", rank)
            if other != rank:
                hint = "each process needs its own: take fewer processes, or --device cpu"
                raise RunError(f"ranks {other} and {rank} would share one GPU; {hint}", 3)

    def tell(self, message: str, code: int, key: str = "failure") -> bool:
        """Writes to the store why this process ends. False if another process did so before."""
        text = json.dumps([message, code, self.rank])
        with contextlib.suppress(RuntimeError):  # the store is gone
            stored = self._store.compare_set(key, "", text).decode()
            self._set(self.rank, "heard", "read")
            return stored == text
        return True

    def linger(self) -> None:
        """Waits, if this process holds the store, until the others have read why it ends."""
        if self.rank == 0:
            with contextlib.suppress(RuntimeError):
                self._await("read", _LINGER_S)

    def find_cause(self, seconds: float) -> LostRankError:
        """Returns the error to raise after a connection broke, with the cause from the store.

        If no process has written one, the first process names those that do not answer.
        ``seconds`` is how long this process waited for the others.
        """
        missing = [0]
        with contextlib.suppress(RuntimeError):  # the store has ended with its process
            self._set(self.rank, "heard")
            if self.rank == 0:
                missing = self._await("heard", _GRACE_S)
            elif not self._store.check(["ended"]):
                with contextlib.suppress(RuntimeError):  # the first process is lost
                    self._store.wait(["failure"], timedelta(seconds=2 * _GRACE_S))
            for key in ("failure", "ended"):
                if self._store.check([key]):
                    message, code, rank = json.loads(self._store.get(key))
                    self._set(self.rank, "read")  # the store may end from now on
                    is_told = key == "failure" or self.rank > 0
                    return LostRankError(f"rank {rank}: {message}", code, is_told)
            # ``linger`` does not wait for those that do not answer.
            for rank in [0, *missing] if self.rank == 0 else [self.rank]:
                self._set(rank, "read")
        names = ", ".join(self._names[rank] for rank in missing)
        message = f"training lost {names or 'the connection of its processes'}"
        if seconds >= self._limit_s:
            waited = amount(round(seconds), "second")
            message = f"no answer for {waited} of {names or 'another process'}"
        return LostRankError(message, is_told=self.rank > 1)

    def _set(self, rank: int, *keys: str) -> None:
        for key in keys:
            self._store.set(f"{key}/{rank}", "")

    def _await(self, key: str, seconds: float) -> list[int]:
        """Waits until all ranks have set their ``key``. Returns those that have not in time."""
        end = time.monotonic() + seconds
        while True:
            missing = [r for r in range(self.size) if not self._store.check([f"{key}/{r}"])]
            if not missing or time.monotonic() > end:
                return missing
            time.sleep(_POLL_S)
