"""Engines are compared in the tests of kernels; here the one that compiles nothing computes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netdesc.kernels.engine import use_engine


@pytest.fixture(autouse=True)
def _reference_engine() -> Iterator[None]:
    with use_engine("reference"):
        yield
