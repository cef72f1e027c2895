"""The folder of compiled kernels, ``NETDESC_CACHE``, and how its files are written.

It contains the modules that are generated for neurons, with their kernels in ``__pycache__``; in
``numba`` the other kernels of the CPU engine; and in ``triton`` those of Triton, if
``NETDESC_CACHE`` is set. The folder may be read-only, as in an image, if all kernels are there.

Whoever can write compiled kernels can run programs as the user. So a folder that other users except
root can write is not used, and neither is a file of another user.
"""

import contextlib
import functools
import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from netdesc.atomic_write import failure_reason

_VARIABLE, _TRITON = "NETDESC_CACHE", "TRITON_CACHE_DIR"
_KERNELS = Path(__file__).parent
_MAX_VERSIONS = 16
"""Number of versions of the CPU engine whose kernels are kept, about 1 MB each."""

_DIGEST_BYTES = hashlib.sha256().digest_size
_problems: list[str] = []


def cache_folder() -> Path:
    """Returns the folder: a temporary one if others can write to it, or the user has no home."""
    if chosen := os.environ.get(_VARIABLE):
        return _safe_folder(Path(chosen).absolute())
    try:
        xdg = os.environ.get("XDG_CACHE_HOME")
        folder = (Path(xdg) if xdg else Path.home() / ".cache").absolute() / "netdesc"
    except RuntimeError as error:
        _problems.append(str(error))
        return temporary_folder()
    return _safe_folder(folder)


def _is_ours(status: os.stat_result) -> bool:
    """Whether a file is the user's or root's, where files have owners."""
    return os.name != "posix" or status.st_uid in (0, os.geteuid())


def _others_can_write(status: os.stat_result, *, with_group: bool = True) -> bool:
    """Whether the mode lets others write or, ``with_group``, a group with other users."""
    if os.name != "posix" or not status.st_mode & (stat.S_IWOTH | stat.S_IWGRP):
        return False
    if status.st_mode & stat.S_IWOTH or not with_group:
        return bool(status.st_mode & stat.S_IWOTH)
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(status.st_gid)
    except KeyError:
        return True
    return group.gr_name != user or not {*group.gr_mem} <= {user}


@functools.cache
def _safe_folder(folder: Path) -> Path:
    """Returns the folder, or a temporary one if another user can write it, and notes why."""
    own = (folder, *(folder / name for name in ("__pycache__", "numba", "triton")))
    parents = (*folder.parents, *Path(os.path.realpath(folder)).parents)
    reasons = [_why_unsafe(path) for path in own]
    reasons += [_why_unsafe(path, is_parent=True) for path in parents]
    for reason in filter(None, reasons):
        _problems.append(reason)
        return temporary_folder()
    return folder


def _why_unsafe(path: Path, *, is_parent: bool = False) -> str:
    """Returns why another user can write or replace a file or folder; empty if none can.

    On clusters, a group may write to parents. That is safe: what others create there belongs to
    them, and is then refused.
    """
    try:
        link, status = path.lstat(), path.stat()
    except OSError:
        return ""
    if not (_is_ours(link) and _is_ours(status)):
        return f"{path} belongs to another user"
    is_open = _others_can_write(status, with_group=not is_parent)
    is_sticky = is_parent and status.st_mode & stat.S_ISVTX
    return f"other users can write {path}" if is_open and not is_sticky else ""


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

    If it is new, deletes the folders of other versions that were not used for the longest time.
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
    """Writes a file of the cache atomically. Returns whether it could; ``problem`` says why not."""
    try:
        _make(path.parent)
        with tempfile.TemporaryDirectory(dir=path.parent, ignore_cleanup_errors=True) as folder:
            part = Path(folder) / path.name
            part.touch(0o600)
            part.write_bytes(content)
            part.replace(path)
    except OSError as error:
        _problems.append(f"{path.parent} cannot be written: {failure_reason(error)}")
        return False
    return True


def _make(folder: Path) -> None:
    """Creates a folder and its missing parents, which only the user can read and write."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(0o700, exist_ok=True)


def write_checked(path: Path, content: bytes) -> None:
    """Writes a file with a digest, for ``read_checked``, if the folder can be written."""
    write(path, _digest(path, content) + content)


def _digest(path: Path, content: bytes) -> bytes:
    return hashlib.sha256(path.name.encode() + b"\0" + content).digest()


def read_checked(path: Path) -> bytes | None:
    """Returns the content of a file; None if it is missing or another user can write it.

    A damaged file, or one that had another name, is deleted.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read()
        is_private = _is_ours(status) and not _others_can_write(status)
        digest, content = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if is_private and _digest(path, content) == digest:
            return content
        path.unlink()
    except OSError:
        pass
    return None


def problem() -> str | None:
    """Returns why kernels of this process cannot be kept for others; None if they can."""
    if not _problems:
        return None
    hint = f"set {_VARIABLE} to a folder that only you can write"
    return f"each process compiles kernels again, because {_problems[0]}; {hint}"


def choose_triton_folder() -> None:
    """Tells Triton where to cache kernels, if the user chose a folder or others can write Triton's.

    Triton fails where it cannot write, so its kernels are copied if the folder is read-only.
    """
    if os.environ.get(_TRITON) or not os.environ.get(_VARIABLE):
        home = os.environ.get("TRITON_HOME") or os.path.expanduser("~")
        folder = Path(os.environ.get(_TRITON) or f"{home}/.triton/cache").absolute()
        if _safe_folder(folder) != folder:
            os.environ[_TRITON] = str(temporary_folder() / "triton")
        return
    folder = cache_folder() / "triton"
    try:
        _make(folder)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        copy = temporary_folder() / "triton"
        shutil.copytree(folder, copy) if folder.is_dir() else copy.mkdir()
        folder = copy
    os.environ[_TRITON] = str(folder)
