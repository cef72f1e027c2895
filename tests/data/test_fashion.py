"""The documents for Fashion-MNIST take images of its size; its own are not shipped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.idx_samples import idx

import netdesc

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", ["fashion", "fashion_conv"])
def test_document_takes_images_of_that_size(name: str, tmp_path: Path) -> None:
    document = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
    (tmp_path / "images").write_bytes(idx(np.zeros((400, 28, 28), np.uint8)))
    (tmp_path / "labels").write_bytes(idx(np.arange(400, dtype=np.uint8) % 10))
    files = {part: {"path": str(tmp_path / part)} for part in ("images", "labels")}
    document["data"] |= {**files, "test": files}
    assert not netdesc.load(document).warnings
