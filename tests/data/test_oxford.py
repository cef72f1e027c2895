"""The shipped Oxford pair is as its script draws it and as large as the examples assume."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).parents[2] / "data" / "oxford"


def test_drawing_again_gives_the_shipped_files(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(FOLDER / "draw.py"), str(tmp_path)], check=True)
    for name in ("input.bs1", "target.bs1"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), name
    # The compressed bytes vary with the version of zlib, but not the picture.
    with Image.open(tmp_path / "target.png") as drawn, Image.open(FOLDER / "target.png") as shipped:
        assert drawn.convert("L").tobytes() == shipped.convert("L").tobytes()
