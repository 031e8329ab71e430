"""The three locks that make starting, using and ending a daemon free of races, whoever is killed.

All are files in the run folder, locked by `foundation.file_locks`:

- `daemon.lock`: held by the daemon while it lives. It alone says whether there is one.
- `start.lock`: held while a client looks for the daemon and starts one, or stops it: one at a time.
- `lease`: shared by all clients that use the daemon. The daemon takes it for itself before it ends, so it
  never ends under a client, and a client that comes too late waits for the end and starts a new one.
"""

from __future__ import annotations

DAEMON = "daemon.lock"
START = "start.lock"
LEASE = "lease"
