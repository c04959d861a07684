"""Tests of the command line."""

from types import FunctionType

import typer


def as_app(command) -> typer.Typer:
    """A group as it is; a plain function as the registry would make a command of it."""
    if not isinstance(command, FunctionType):
        return command
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return app
