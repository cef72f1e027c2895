"""Writing a file so that a reader sees the old one or the new one, and never half of one."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path


class NoFileError(OSError):
    """What should be written is no file that could be replaced.

    It has no number of the system: nothing failed, the wrong thing was named.
    """


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yields the path of a new empty file beside ``path``, which replaces it when the block ends.

    A link stays: the file that it names is replaced, by one with the same permissions. The
    temporary file has ``path``'s suffix, is flushed to the disk before the rename, and is removed
    when the block raises. NoFileError where ``path`` is a folder, a pipe or a device, OSError where
    the folder cannot be written or the disk is full.
    """
    target, suffix = _target(Path(path)), Path(path).suffix
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}{suffix}")
    # Opened like this, and not by tempfile, so that the file has the rights of any new file.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        _flush(temporary)
        _keep_permissions(target, temporary)  # they may forbid to open it again
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened
        _flush(target.parent)


def _target(path: Path) -> Path:
    """The file that ``path`` names, through all links; it need not exist."""
    try:
        mode = path.stat().st_mode  # of /dev/stdout only this tells, not where its links lead
    except FileNotFoundError:
        return Path(os.path.realpath(path))
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise NoFileError(f"is {what}; name a file that may be replaced")
    return Path(os.path.realpath(path))


def _keep_permissions(target: Path, temporary: Path) -> None:
    """Gives the new file the permissions and, where that is allowed, the owner of the old one."""
    try:
        old = target.stat()
    except FileNotFoundError:
        return
    if os.name == "posix" and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.chown(temporary, old.st_uid, old.st_gid)
    os.chmod(temporary, stat.S_IMODE(old.st_mode))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
