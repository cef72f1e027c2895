"""Joins the processes of a group, and finds out which of them is missing and why.

They tell each other in the group's store, a table that one process holds: who they are when they
join, and why one ends. So if a connection breaks, one of them says one sentence about it.
"""

import contextlib
import json
import os
import socket
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from torch.distributed.distributed_c10d import Store

from netdesc.description.diagnostics.wording import amount
from netdesc.runs.errors import RunError

LIMIT_VARIABLE = "NETDESC_WAIT_S"
"""The longest time in seconds that a process waits for others, also while they compile kernels."""
LIMIT_S = 600.0
_GRACE_S = 2.0
"""Time in which processes that go on after another's end say so."""
_POLL_S = 0.02
TRY_AGAIN = 75
"""The exit code of what should be started again: sysexits' EX_TEMPFAIL."""


class LostRankError(RunError):
    """Another process of the group has ended, or does not answer."""

    def __init__(self, message: str) -> None:
        super().__init__(message, TRY_AGAIN)


class PeerError(RunError):
    """Another process of the group has failed, and it prints the reason itself."""

    is_told = True


def wait_limit() -> timedelta:
    """Returns the limit that ``LIMIT_VARIABLE`` sets. RunError if that is no positive number."""
    text = os.environ.get(LIMIT_VARIABLE, "")
    with contextlib.suppress(ValueError, OverflowError):
        seconds = float(text or LIMIT_S)
        if seconds > 0:
            return timedelta(seconds=seconds)
    raise RunError(f"{LIMIT_VARIABLE} is {text!r}; it must be a number of seconds", exit_code=2)


class Members:
    """The ``size`` processes of a group, which share ``store``; this one is number ``rank``.

    ``gpu`` names the GPU that it uses, empty for none.
    """

    def __init__(self, store: Store, rank: int, size: int, gpu: str = "") -> None:
        self._store, self.rank, self.size = store, rank, size
        self._limit = wait_limit()
        self._place = {"host": socket.gethostname(), "pid": os.getpid(), "size": size, "gpu": gpu}
        self._places: list[dict[str, Any]] = []

    def sign_in(self) -> None:
        """Waits for all processes. RunError if they do not fit together.

        LostRankError names those that do not come within the limit.
        """
        if self._store.add(f"joins/{self.rank}", 1) > 1:
            way = "start all processes of a training together, with numbers of their own"
            raise RunError(f"rank {self.rank} joins late, as another has its number: {way}", 2)
        self._store.set(f"place/{self.rank}", json.dumps(self._place))
        end = time.monotonic() + self._limit.total_seconds()
        while missing := self._without("place"):
            if time.monotonic() > end:
                seconds = self._limit.total_seconds()
                way = f"are all of the {self.size} processes started? {LIMIT_VARIABLE} sets it"
                raise LostRankError(f"{_ranks(missing)} did not join within {seconds:g} s: {way}")
            time.sleep(_POLL_S)
        self._places = [json.loads(self._store.get(f"place/{r}")) for r in range(self.size)]
        self._check_places()

    def _check_places(self) -> None:
        users: dict[str, int] = {}
        for rank, place in enumerate(self._places):
            if place["size"] != self.size:
                sizes = f"{place['size']} processes, rank {self.rank} of {self.size}"
                raise RunError(f"rank {rank} is one of {sizes}: start all with one number", 2)
            other = users.setdefault(place["gpu"] or f"none {rank}", rank)
            if other != rank:
                way = "each process needs its own: take fewer processes, or --device cpu"
                raise RunError(f"ranks {other} and {rank} would share one GPU; {way}", 3)

    @property
    def uses_gpu(self) -> bool:
        return bool(self._place["gpu"])

    def place_on_node(self) -> tuple[int, int]:
        """Returns this process's number on its machine, and how many there are."""
        on_node = [r for r, place in enumerate(self._places) if place["host"] == self._host]
        return on_node.index(self.rank), len(on_node)

    @property
    def _host(self) -> str:
        return self._place["host"]

    def tell(self, error: BaseException, code: int) -> bool:
        """Tells others why this process fails. False if another has told its own reason before."""
        mine = json.dumps({"rank": self.rank, "code": code, "message": str(error)})
        with contextlib.suppress(RuntimeError):  # the store is gone
            told = self._store.compare_set("failure", "", mine)
            self._store.set(f"survivor/{self.rank}", "")
            return told.decode() == mine
        return True

    def linger(self) -> None:
        """Holds the store for others until they have read why this process fails."""
        end = time.monotonic() + _GRACE_S
        with contextlib.suppress(RuntimeError):
            while self.rank == 0 and time.monotonic() < end:
                if all(map(self._has_ended, self._without("survivor"))):
                    break
                time.sleep(_POLL_S)

    def find_cause(self, error: RuntimeError, seconds: float) -> RunError:
        """Returns the error to raise after a connection broke: what another process has told.

        If none has, it names those that are missing; only one process prints that. ``seconds`` is
        the time that this process had waited.
        """
        try:
            self._store.set(f"survivor/{self.rank}", "")
            end = time.monotonic() + _GRACE_S
            while missing := self._without("survivor"):
                if time.monotonic() > end or all(map(self._has_ended, missing)):
                    break
                time.sleep(_POLL_S)
            if self._store.check(["failure"]):
                told = json.loads(self._store.get("failure"))
                return PeerError(f"rank {told['rank']}: {told['message']}", told["code"])
        except RuntimeError:  # the store is gone with its process
            missing = [0]
        ended = [rank for rank in missing if self._has_ended(rank)]
        names = ", ".join(map(self._describe, ended or missing))
        if seconds >= self._limit.total_seconds():
            message = f"no answer for {amount(round(seconds), 'second')} of {names}"
        elif missing:
            message = f"training lost {names}"
        else:
            message = f"the connection between processes is lost: {str(error).splitlines()[0]}"
        if self.rank != min(set(range(self.size)) - set(missing)):
            return PeerError(message, TRY_AGAIN)
        return LostRankError(message)

    def _without(self, key: str) -> list[int]:
        return [r for r in range(self.size) if not self._store.check([f"{key}/{r}"])]

    def _has_ended(self, rank: int) -> bool:
        place = self._places[rank] if self._places else {"host": ""}
        if place["host"] != self._host:
            return False
        try:
            os.kill(place["pid"], 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False

    def _describe(self, rank: int) -> str:
        place = self._places[rank]
        return f"rank {rank} (process {place['pid']} on {place['host']})"


def _ranks(numbers: Sequence[int]) -> str:
    names = ", ".join(map(str, numbers))
    return f"ranks {names}" if len(numbers) > 1 else f"rank {names}"
