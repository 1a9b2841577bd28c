"""The Typer app with all commands, and ``main``, which prints warnings as notes and errors as a single message."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, NoReturn

import typer
from rich.markup import escape

from facelet import __version__
from facelet.cli import batch, crop, env, faces, gallery, identify, models, predict, run, verify
from facelet.cli.deploy import export
from facelet.cli.measure import bench, card, compare
from facelet.cli.measure import eval as evaluation
from facelet.cli.options import errors
from facelet.cli.serving import serve, web
from facelet.errors import FaceletError, FaceletWarning

STOPPED = 130
"""Exit code after Ctrl-C."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"facelet {__version__}")
        raise typer.Exit()


@app.callback()
def facelet_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Small, fast, proven face models."""


app.command()(run.run)
app.command()(run.recipes)
app.command()(compare.compare)
app.command()(faces.faces)
app.command(name="eval")(evaluation.evaluate)
app.command()(bench.bench)
app.command()(export.export)
app.command(cls=batch.OptionalRayAddress)(predict.predict)
app.command()(models.models)
app.command()(crop.crop)
app.command()(card.card)
app.command()(verify.verify)
app.command()(gallery.enroll)
app.command()(identify.identify)
app.command()(serve.serve)
app.command()(web.web)
app.command()(env.env)
app.add_typer(gallery.app, name="gallery")


def main() -> None:
    """Runs the command. User errors print a single message, without a traceback, and exit with code 2."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", FaceletWarning)
        warnings.showwarning = partial(_show_warning, warnings.showwarning)
        _main()


def _show_warning(
    show_other: Callable[..., None], message: Warning | str, category: type[Warning], *where: Any
) -> None:
    """Prints a FaceletWarning as a note, and any other warning as Python does."""
    if issubclass(category, FaceletWarning):
        errors.print(f"[yellow]note[/]: {escape(str(message))}", soft_wrap=True)
    else:
        show_other(message, category, *where)


def _main() -> None:
    try:
        code = app(standalone_mode=False) or 0
        if code == STOPPED:
            errors.print("stopped")
        sys.exit(code)
    except FaceletError as error:
        _fail(str(error))
    except (KeyboardInterrupt, typer.Abort) as error:
        errors.print("stopped" + f"; {error}" * bool(str(error)), markup=False, soft_wrap=True)
        sys.exit(STOPPED)
    except BrokenPipeError:
        sys.exit(0)
    except MemoryError:
        _fail("not enough memory; use fewer or smaller images")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("facelet"):
            raise
        from facelet.installation import install_command

        _fail(f"this command needs {error.name}: {install_command()}")
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("click", "typer"):
            raise
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        if message:  # empty when help was printed for missing arguments
            _fail(message)
        sys.exit(2)


def _fail(message: str) -> NoReturn:
    errors.print(f"[bold red]error[/]: {escape(message)}", soft_wrap=True)
    sys.exit(2)
