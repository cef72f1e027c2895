"""Writes files atomically: a reader sees either the old file or the complete new one."""

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

_REASONS = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
}
_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{12}(\.\w+)?")


class NoFileError(OSError):
    """The path leads to what a file must not replace, such as a folder, a pipe or a device.

    The exception has no ``errno``, because no system call failed.
    """


def failure_reason(error: OSError) -> str:
    """Returns why a file cannot be read or written, such as "no space left on the device"."""
    reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
    return reason[:1].lower() + reason[1:]


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yields a temporary file, which replaces ``path`` when the block ends without an exception.

    The temporary file is empty, in the folder of ``path`` and with its suffix. At the end it gets
    the permissions of the old file, is flushed to the disk and is renamed; if the block raises, it
    is removed. If ``path`` is a link, the file to which it leads is replaced if it has the same
    suffix. NoFileError if ``path`` may not be replaced; OSError, with ``path`` as its ``filename``,
    if the folder cannot be written or the disk is full.
    """
    path = Path(path)
    target = _resolve_target(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}{path.suffix}")
    try:
        # tempfile would make the file readable only by its owner; here the umask applies.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            yield temporary
            _flush(temporary)
            _copy_permissions(target, temporary)  # after flushing, which must open the file
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        if os.name == "posix":  # flush the rename; other systems cannot open a folder
            _flush(target.parent)
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise


def is_temporary(name: str) -> bool:
    """Whether ``atomic_path`` gives such names to its temporary files."""
    return _TEMPORARY.fullmatch(name) is not None


def remove_abandoned(folder: Path) -> None:
    """Deletes the temporary files in ``folder`` that killed processes have left.

    No other process may write there. Files that cannot be deleted stay.
    """
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            if is_temporary(path.name):
                with contextlib.suppress(OSError):
                    path.unlink()


def _resolve_target(path: Path) -> Path:
    """Follows all links of ``path`` and returns the path of the file, which need not exist.

    NoFileError if it leads to a folder, a pipe or a device, or from one suffix to another, such as
    to a document.
    """
    try:
        mode = path.stat().st_mode  # first: /dev/stdout may be a link that realpath cannot follow
    except FileNotFoundError:
        return Path(os.path.realpath(path))
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise NoFileError(f"is {kind}; name a file that may be replaced")
    target = Path(os.path.realpath(path))
    if target.suffix.lower() not in ("", path.suffix.lower()):
        raise NoFileError(f"is a link to {target}, a file of another kind; choose another name")
    return target


def _copy_permissions(old: Path, new: Path) -> None:
    """Copies the permissions of ``old`` to ``new`` and, if the system allows it, the owner."""
    try:
        status = old.stat()
    except FileNotFoundError:
        return
    if os.name == "posix" and (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.chown(new, status.st_uid, status.st_gid)
    with contextlib.suppress(PermissionError):
        os.chmod(new, stat.S_IMODE(status.st_mode))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # the file system cannot flush folders
            raise
    finally:
        os.close(descriptor)
