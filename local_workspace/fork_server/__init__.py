"""A process that has imported a program's modules and forks itself for each command of it.

To import a large program can take longer than to run it. The server imports its modules once for a workspace; each command
is then a fork: a process of its own, with the environment, folder and streams of who asked, of which nothing is left when
it ends. It lives as long as the workspace's daemon and holds no secret: those come with a command, over a socket that only
the owner of the workspace can open.

Modules that change while the workspace is up (the project's own) must not be among those imported.
"""

from local_workspace.fork_server.client import Command, ForkServer, NoForkServerError

__all__ = ["Command", "ForkServer", "NoForkServerError"]
