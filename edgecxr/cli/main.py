# SPDX-License-Identifier: Apache-2.0
"""``edgecxr VERB``: registers the verbs, and is the one place that catches errors."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from edgecxr import __version__
from edgecxr.cli import (
    bench,
    boards,
    calibrate,
    card,
    classify,
    common,
    data,
    demo,
    emulate,
    evaluate,
    explain,
    export,
    flash,
    import_model,
    quantize,
    report,
    reproduce,
    sign,
    sweep,
    train,
    verify,
)
from edgecxr.cli import run as run_program
from edgecxr.core.signature import KEY_VARIABLE
from edgecxr.core.text import lines
from edgecxr.errors import EXIT_INTERRUPTED, EdgecxrError

VERBS = (
    "data",
    "train",
    "quantize",
    "calibrate",
    "evaluate",
    "sweep",
    "reproduce",
    "explain",
    "import",
    "card",
    "sign",
    "verify",
    "export",
    "boards",
    "flash",
    "emulate",
    "bench",
    "classify",
    "run",
    "report",
    "demo",
)


class InWorkingOrder(TyperGroup):
    """Lists the verbs in the order in which a user needs them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=VERBS.index)


app = typer.Typer(
    name="edgecxr",
    cls=InWorkingOrder,
    help=(
        "Chest X-ray classifiers, from a folder of images to a verified microcontroller.\n\n"
        "data → train → quantize → evaluate → export → flash → bench → classify. "
        "For research and teaching; **not a medical device**."
    ),
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.add_typer(data.app, name="data")
app.command("train")(train.train)
app.command("quantize")(quantize.quantize)
app.command("calibrate")(calibrate.calibrate)
app.command("evaluate")(evaluate.evaluate)
app.command("sweep")(sweep.sweep)
app.command("reproduce")(reproduce.reproduce)
app.command("explain")(explain.explain)
app.command("import")(import_model.import_model)
app.command("card")(card.card)
app.command("sign")(sign.sign)
app.command("verify")(verify.verify)
app.command("export")(export.export)
app.command("flash")(flash.flash)
app.command("emulate")(emulate.emulate)
app.command("bench")(bench.bench)
app.command("boards")(boards.boards)
app.command("classify")(classify.classify)
app.command("run")(run_program.run)
app.command("report")(report.report)
app.command("demo")(demo.demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgecxr {__version__}")
        raise typer.Exit


@app.callback()
def options(
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show the traceback of an error.")
    ] = False,
    verify_key: Annotated[
        Path | None,
        typer.Option(
            "--verify-key",
            envvar=KEY_VARIABLE,
            help="A public key: a bundle that is not signed with it is not opened.",
            show_default=False,
        ),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    common.settings.verbose = verbose
    if verify_key is not None:
        # Where commands that this one starts look for it too.
        os.environ[KEY_VARIABLE] = str(verify_key.absolute())


def _fail(message: str, exit_code: int, arguments: list[str]) -> int:
    if "--json" in arguments:
        common.print_json({"error": message, "exit_code": exit_code})
    else:
        common.note(f"edgecxr: {message}")
    return exit_code


def run(arguments: list[str]) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    # Pillow warns of odd EXIF and TIFF tags, which a user can do nothing about.
    warnings.filterwarnings("ignore", module="PIL")
    try:
        result = app(args=arguments or ["--help"], standalone_mode=False, prog_name="edgecxr")
    except TyperException as error:
        message = error.format_message()
        # `edgecxr data` alone has no message: it has shown its help.
        return _fail(message, error.exit_code, arguments) if message else error.exit_code
    except EdgecxrError as error:
        if common.settings.verbose:
            typer.echo(lines(traceback.format_exc()), err=True)
        return _fail(str(error), error.exit_code, arguments)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", EXIT_INTERRUPTED, arguments)
    except BrokenPipeError:
        # The reader of our output has gone (`edgecxr … | head`); there is nobody left to tell.
        sys.stderr.close()
        return 1
    except OSError as error:
        if common.settings.verbose:
            typer.echo(lines(traceback.format_exc()), err=True)
        if error.filename is None:  # our own output, so JSON has nowhere to go
            common.note(f"edgecxr: the output could not be written: {error.strerror or error}")
            return 1
        return _fail(f"{error.filename}: {error.strerror}", 1, arguments)
    if result == EXIT_INTERRUPTED:  # typer has caught a KeyboardInterrupt
        return _fail("interrupted", EXIT_INTERRUPTED, arguments)
    return result if isinstance(result, int) else 0


def main() -> None:
    sys.exit(run(sys.argv[1:]))
