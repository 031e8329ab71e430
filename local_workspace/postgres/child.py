"""The program that becomes the Postgres server, after giving up root and tying itself to its parent.

Run as `python -m local_workspace.postgres.child UID GID PARENT_PID PROGRAM ARGUMENT...`; a UID of -1 keeps
the account, a PARENT_PID of 0 leaves the tie out.
"""

from __future__ import annotations

import os
import signal
import sys

from local_workspace.process_life import die_with_parent

#: Messages of the server are in English, and its log is read by us.
SERVER_LOCALE = {"LC_ALL": "C"}


def main(arguments: list[str]) -> None:
    """Become the program; returns only by an exception."""
    uid, gid, parent_pid = (int(argument) for argument in arguments[:3])
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if parent_pid:
        # After the change of account, which clears it. SIGINT is Postgres' fast shutdown: a clean stop.
        die_with_parent(parent_pid, signal.SIGINT)
    os.environ.update(SERVER_LOCALE)
    os.execv(arguments[3], arguments[3:])  # noqa: S606  (an argument list of our own, no shell)


if __name__ == "__main__":
    main(sys.argv[1:])
