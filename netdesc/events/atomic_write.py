"""Atomic writing: a reader sees the old file or the new one, never a part of one."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path


class NoFileError(OSError):
    """The path names a folder, a pipe or a device, which cannot be replaced by a file.

    It has no ``errno``, because no system call failed.
    """


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yields the path of a new empty file beside ``path``, which replaces it when the block ends.

    If ``path`` is a link, the link stays and the file it leads to is replaced. The new file gets
    the permissions of the old one. The temporary file has ``path``'s suffix, is flushed to the disk
    before the rename, and is removed if the block raises. NoFileError if ``path`` is not a regular
    file, OSError if the folder cannot be written or the disk is full.
    """
    target, suffix = _resolve_target(Path(path)), Path(path).suffix
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}{suffix}")
    # tempfile would create the file for its owner alone; here the umask applies.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        _flush(temporary)
        _copy_permissions(target, temporary)  # after flushing: they may forbid to open the file
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # other systems cannot open a folder
        _flush(target.parent)


def _resolve_target(path: Path) -> Path:
    """The file to which ``path`` leads through all links; it need not exist."""
    try:
        mode = path.stat().st_mode  # before resolving: the links of /dev/stdout lead nowhere
    except FileNotFoundError:
        return Path(os.path.realpath(path))
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise NoFileError(f"is {kind}; name a file that may be replaced")
    return Path(os.path.realpath(path))


def _copy_permissions(old: Path, new: Path) -> None:
    """Gives ``new`` the permissions and, if allowed, the owner of ``old``."""
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
