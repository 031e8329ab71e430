"""Files that a query reads as a whole, each time again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from local_workspace.dlt_runtime.auto_loader.listing import list_files
from local_workspace.dlt_runtime.auto_loader.options import AutoLoaderOptions
from local_workspace.dlt_runtime.auto_loader.stage import Staged, empty_staged, source_schema, stage_files
from local_workspace.dlt_runtime.files import staging
from local_workspace.dlt_runtime.files.partitions import read_files, with_partitions
from local_workspace.dlt_runtime.files.reads import FileRead, check
from local_workspace.dlt_runtime.paths import Paths
from local_workspace.errors import DataFault, PipelineCodeError


def stage_static(read: FileRead, paths: Paths, folder: Path, flow: str) -> Staged:
    """Stage all files of a read.

    Raises:
        PipelineCodeError: There is no such path, or no file from which a schema could come.
        DataFault: A file cannot be read: a query that reads a folder as a whole must not leave one out.
    """
    options = check(read, flow)
    listing = list_files(options.path, options.glob, paths.local, paths.uri, {})
    listing = replace(listing, new=read_files(options, listing.new))
    if (
        not listing.new
        and not listing.unreadable
        and "*" not in options.path
        and not paths.local(options.path).exists()
    ):
        raise PipelineCodeError(
            f"[PATH_NOT_FOUND] {options.path} does not exist (flow {flow})",
            got=str(paths.local(options.path)),
            next_step=f"Put files there, or name the folder to read instead: --volume {options.path}=FOLDER",
        )
    folder.mkdir(parents=True, exist_ok=True)
    if not isinstance(options, AutoLoaderOptions):
        staged = staging.stage(options, listing.new, None, folder, flow)
        staged = with_partitions(staged, options, listing.new, None)
    elif listing.new:
        staged = with_partitions(
            stage_files(options, listing.new, None, folder, flow), options, listing.new, None
        )
    else:
        columns = source_schema(options, [], None, {})
        if not columns:
            raise PipelineCodeError(
                f"[UNABLE_TO_INFER_SCHEMA] {options.path} has no file to infer a schema from (flow {flow})",
                next_step="Put a file there first, or set the schema",
            )
        staged = empty_staged(options, columns, folder)
    faults = {**listing.unreadable, **{uri: fault.reason for uri, fault in staged.faults.items()}}
    if faults:
        raise DataFault(
            f"Files of {options.path} cannot be read (flow {flow})",
            got="; ".join(f"{uri}: {reason}" for uri, reason in faults.items())[:400],
            consequence="The table was not refreshed, because rows would be missing",
            next_step="Repair or remove them, then run the update again",
        )
    return staged
