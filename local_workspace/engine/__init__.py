"""The engine that runs the queries: a Sail server in a child process, and sessions on whatever speaks Spark Connect."""

from local_workspace.engine.sail import EngineHandle, EngineSettings, SailEngine
from local_workspace.engine.session import connect

__all__ = ["EngineHandle", "EngineSettings", "SailEngine", "connect"]
