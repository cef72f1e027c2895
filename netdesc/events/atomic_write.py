"""Writes files atomically: a reader sees either the old file or the complete new one."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path


class NoFileError(OSError):
    """The path is a folder, a pipe or a device, which a file must not replace.

    The exception has no ``errno``, because no system call failed.
    """


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yields a temporary file, which replaces ``path`` when the block ends without an exception.

    The temporary file is empty, in the folder of ``path`` and with its suffix. At the end it gets
    the permissions of the old file, is flushed to the disk and is renamed; if the block raises, it
    is removed. If ``path`` is a link, the file to which it leads is replaced. NoFileError if
    ``path`` exists and is not a regular file; OSError if the folder cannot be written or the disk
    is full.
    """
    target, suffix = _resolve_target(Path(path)), Path(path).suffix
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}{suffix}")
    # tempfile would make the file readable only by its owner; here the umask applies.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        _flush(temporary)
        _copy_permissions(target, temporary)  # after flushing, which must open the file
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # flush the rename; other systems cannot open a folder
        _flush(target.parent)


def _resolve_target(path: Path) -> Path:
    """Follows all links of ``path`` and returns the path of the file, which need not exist.

    NoFileError if the path leads to a folder, a pipe or a device.
    """
    try:
        mode = path.stat().st_mode  # first: /dev/stdout may be a link that realpath cannot follow
    except FileNotFoundError:
        return Path(os.path.realpath(path))
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise NoFileError(f"is {kind}; name a file that may be replaced")
    return Path(os.path.realpath(path))


def _copy_permissions(old: Path, new: Path) -> None:
    """Copies the permissions of ``old`` to ``new`` and, if the system allows it, the owner."""
    try:
        status = old.stat()
    except FileNotFoundError:
        return
    if os.name == "posix" and (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.chown(new, status.st_uid, status.st_gid)
    os.chmod(new, stat.S_IMODE(status.st_mode))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
