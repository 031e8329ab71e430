"""The engine that runs the queries: Sail in a child process; sessions on whatever speaks Spark Connect."""

from local_workspace.engine.sail import EngineHandle, EngineSettings, SailEngine
from local_workspace.engine.session import connect

__all__ = ["EngineHandle", "EngineSettings", "SailEngine", "connect"]
