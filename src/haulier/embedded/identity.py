"""As whom PostgreSQL runs: it refuses to be root, and needs a user that has a name."""

import asyncio
import os
import pwd
from pathlib import Path

import msgspec

from haulier.errors import ConfigurationError


class Identity(msgspec.Struct, frozen=True):
    """`prefix` goes before a command that must not be root; `uid` is who must own its files then."""

    prefix: tuple[str, ...]
    uid: int

    def own(self, folder: Path) -> None:
        """Give `folder` and all in it to `uid`, if another mode of starting left them to someone else. Blocks."""
        if os.geteuid() != 0 or not folder.exists() or folder.stat().st_uid == self.uid:
            return
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(Path(parent) / name, self.uid, -1, follow_symlinks=False)
        os.chown(folder, self.uid, -1)


async def server_identity() -> Identity:
    """Ourselves if we are an ordinary user; else the same files under another name, or as a last resort that user.

    A user namespace keeps every file ours, so that neither the home nor the Python packages need be readable to others.
    Where a container forbids it, root drops to an unprivileged user who keeps one capability: to pass the home's 0700.
    """
    uid = os.geteuid()
    if uid != 0 and _has_name(uid):
        return Identity((), uid)
    other = await asyncio.to_thread(_unprivileged)
    namespace = in_namespace(other)
    if await _works(namespace):
        return Identity(namespace, uid)
    if uid == 0:
        return Identity(dropped(other), other.pw_uid)
    raise ConfigurationError(
        problems=f"postgres: user id {uid} has no name in /etc/passwd and may not make a user namespace; "
        "add it there, or set HAULIER_DATABASE_URL"
    )


def in_namespace(other: pwd.struct_passwd) -> tuple[str, ...]:
    """Prefix: the same user, called `other` inside."""
    return ("unshare", "--user", f"--map-user={other.pw_uid}", f"--map-group={other.pw_gid}")


def dropped(other: pwd.struct_passwd) -> tuple[str, ...]:
    """Prefix: `other` itself, who can still reach files below folders that are closed to it."""
    return (
        "setpriv",
        f"--reuid={other.pw_uid}",
        f"--regid={other.pw_gid}",
        "--clear-groups",
        "--inh-caps=-all,+dac_override",
        "--ambient-caps=-all,+dac_override",
        "--bounding-set=-all,+dac_override",
        "--no-new-privs",
    )


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _unprivileged() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        return next(user for user in pwd.getpwall() if user.pw_uid != 0)


async def _works(prefix: tuple[str, ...]) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(
            *prefix, "true", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return False
    return await process.wait() == 0
