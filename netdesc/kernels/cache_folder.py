"""The folder of compiled kernels, and how its files are written. ``NETDESC_CACHE`` names it.

In it are the modules that are generated for neurons, with their kernels in ``__pycache__``, and in
``numba`` the other kernels of the CPU engine. If ``NETDESC_CACHE`` is set, Triton's kernels are in
its ``triton``. The folder may be read-only, as in an image, if it holds what is needed.
"""

import contextlib
import functools
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from netdesc.atomic_write import failure_reason

_VARIABLE, _TRITON = "NETDESC_CACHE", "TRITON_CACHE_DIR"
_KERNELS = Path(__file__).parent
_MAX_VERSIONS = 16
"""Number of versions of the CPU engine whose kernels are kept; those of one take about 1 MB."""

_DIGEST_BYTES = hashlib.sha256().digest_size
_problems: list[str] = []


def cache_folder() -> Path:
    """Returns the folder; a temporary one if the user chose none and has no home."""
    if chosen := os.environ.get(_VARIABLE):
        return Path(chosen).absolute()
    try:
        user = os.environ.get("XDG_CACHE_HOME")
        return (Path(user) if user else Path.home() / ".cache") / "netdesc"
    except RuntimeError as error:
        _problems.append(str(error))
        return temporary_folder()


@functools.cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="netdesc-kernels-", ignore_cleanup_errors=True)


def temporary_folder() -> Path:
    """Returns a folder of this process alone, which is deleted when the process ends."""
    return Path(_temporary_folder().name)


@functools.cache
def source_digest() -> bytes:
    """Returns the SHA-256 digest of all sources of the CPU engine and of ``kernels/*.py``."""
    digest = hashlib.sha256()
    for source in sorted({*_KERNELS.glob("*.py"), *(_KERNELS / "cpu").rglob("*.py")}):
        name = source.relative_to(_KERNELS).as_posix()
        digest.update(name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.digest()


@functools.cache
def version_folder() -> Path:
    """Returns the folder of the kernels that are not generated, which depend on all sources.

    If it is new, deletes those of other versions that have not been used for longest.
    """
    folder = cache_folder() / "numba" / source_digest().hex()[:24]
    with contextlib.suppress(OSError):
        if folder.exists():
            os.utime(folder)
        elif folder.parent.exists():
            by_use = sorted(folder.parent.iterdir(), key=os.path.getmtime)
            for unused in by_use[: max(0, len(by_use) + 1 - _MAX_VERSIONS)]:
                shutil.rmtree(unused, ignore_errors=True)
    return folder


def write(path: Path, content: bytes) -> bool:
    """Writes a file of the cache atomically. Returns whether it could, and notes why not."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, ignore_cleanup_errors=True) as folder:
            part = Path(folder) / path.name
            part.write_bytes(content)
            part.replace(path)
    except OSError as error:
        _problems.append(f"{path.parent} cannot be written: {failure_reason(error)}")
        return False
    return True


def write_checked(path: Path, content: bytes) -> None:
    """Writes a file, if it can, that ``read_checked`` reads."""
    write(path, _digest(path, content) + content)


def read_checked(path: Path) -> bytes | None:
    """Returns the content of a file; None if it is missing, damaged or that of another name."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, content = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    return content if digest == _digest(path, content) else None


def _digest(path: Path, content: bytes) -> bytes:
    return hashlib.sha256(path.name.encode() + b"\0" + content).digest()


def problem() -> str | None:
    """Returns why this process has compiled kernels that no other can use; None if it has not."""
    if not _problems:
        return None
    way = f"set {_VARIABLE} to a folder that can be written"
    return f"each process compiles kernels anew, because {_problems[0]}; {way}"


def choose_triton_folder() -> None:
    """Tells Triton where to cache kernels if the user chose a folder, but did not tell Triton.

    Triton fails where it cannot write, so its kernels are copied if the folder is read-only.
    """
    if not os.environ.get(_VARIABLE) or os.environ.get(_TRITON):
        return
    folder = cache_folder() / "triton"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        copy = temporary_folder() / "triton"
        shutil.copytree(folder, copy) if folder.is_dir() else copy.mkdir()
        folder = copy
    os.environ[_TRITON] = str(folder)
