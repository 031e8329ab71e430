"""Entry point of `orders`.

Each command has its own module, which is imported only when the command runs: `orders --help` must not pay for Spark,
dbt or Postgres. Errors that a user can act on are one sentence with the next step; any other error is our fault and
says so. `--debug` shows the stack trace of both.
"""

from __future__ import annotations

import importlib
import io
import logging
import os
import sys
import traceback

import click

# Command name -> "module:attribute" in orders.cli, in the order of the help text.
COMMANDS: dict[str, str] = {
    "generate": "landing:generate",
    "sample": "landing:sample",
    "land": "landing:land",
    "ingest": "ingest:ingest",
    "pipeline": "pipeline:pipeline",
    "run": "run:run",
    "predict": "predict:predict",
    "build": "dbt:build",
    "docs": "dbt:docs",
    "up": "workspace:up",
    "down": "workspace:down",
    "status": "workspace:status",
    "env": "workspace:env",
    "sql": "sql:sql",
    "quarantine": "quarantine:quarantine",
    "check": "check:check",
    "reconcile": "check:reconcile",
    "export": "export:export",
    "config": "config:config",
    "quality": "quality:quality",
    "bundle": "bundle:bundle",
    "dashboard": "dashboard:dashboard",
    "notebook": "notebook:notebook",
    "postgres": "postgres:postgres",
    "erase": "erase:erase",
    "governance": "governance:governance",
    "doctor": "workspace:doctor",
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all command names, in the order of a day's work, not alphabetically."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; None if the name does not exist."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(f"orders.cli.{module}"), attribute)
        return command


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option("--debug", is_flag=True, envvar="ORDERS_DEBUG", help="Show the stack trace of errors.")
@click.version_option(package_name="orders-lakehouse")
@click.pass_context
def orders(ctx: click.Context, debug: bool) -> None:
    """Order analytics on Databricks DLT and dbt, and a local workspace that runs the same files.

    ORDERS_HOME names the workspace folder (default .workspace in the project), ORDERS_ENV the configuration
    (default local).
    """
    ctx.ensure_object(dict)["debug"] = debug


def main(arguments: list[str] | None = None) -> None:
    """Run `orders` and exit: 0 success, 1 the work failed, 2 the command was used incorrectly, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments or bool(os.environ.get("ORDERS_DEBUG"))
    _open_closed_streams()
    try:
        _make_every_character_printable()
        # What the connector logs of its retries is in the error that comes of them; unasked, Python would print it.
        logging.getLogger("databricks").addHandler(logging.NullHandler())
        if not debug:
            # Libraries that are interrupted may fail once more in a destructor, where it changes nothing.
            sys.unraisablehook = lambda _: None
        code = orders.main(args=arguments, prog_name="orders", standalone_mode=False)
        # Here, not when the interpreter ends: a full disk behind standard output is an error like any other.
        sys.stdout.flush()
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. No partial results remain. Run the command again.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has stopped reading; silence Python's own message at shutdown.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # noqa: BLE001  # the last place: no stack trace reaches a user unasked
        code = _report(error, debug=debug)
        _drop_output_that_cannot_be_written()
        sys.exit(code)
    sys.exit(code if isinstance(code, int) else 0)


def _open_closed_streams() -> None:
    """Lead standard streams that the caller closed (`>&-`) to nowhere.

    The next file to be opened would get a stream's number, and what programs print would be written into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115


def _make_every_character_printable() -> None:
    """Show as escapes what the terminal's encoding lacks, and bytes of a file name that are not text."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _drop_output_that_cannot_be_written() -> None:
    """Keep Python from failing again, when it ends, on what is still in the buffer of standard output."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: Exception, *, debug: bool) -> int:
    from dlt_ingest.errors import InputError
    from foundation.errors import DiagnosedError
    from local_workspace.errors import InputError as WorkspaceInputError
    from orders.cli.system_errors import system_error_text
    from orders.cli.tables import without_controls

    if debug:
        traceback.print_exception(error)
    code = 1
    if isinstance(error, DiagnosedError):
        text = str(error)
        code = 2 if isinstance(error, (InputError, WorkspaceInputError)) else 1
    else:
        text = system_error_text(error) or (
            f"an internal error: {type(error).__name__}: {error}. Next: run the command again with --debug and report its "
            "output."
        )
    click.echo(without_controls(f"Error: {text}"), err=True)
    return code


if __name__ == "__main__":
    main()
