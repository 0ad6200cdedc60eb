"""The command line's entry: it parses, and hands over to `engine.commands`, a file each.

Exit status: 0 done, 1 something does not hold, 2 wrong use, 130 interrupted. Torch is imported by the
commands that need it alone.
"""

from __future__ import annotations

import sys

import typer

from engine.commands import common, data
from engine.commands.audit import audit
from engine.commands.build import build
from engine.commands.check import check
from engine.commands.explain import explain
from engine.commands.inspect import inspect
from engine.commands.list import list_
from engine.commands.new import new
from engine.commands.run import run
from engine.commands.serve import serve
from engine.commands.show import show

INTERRUPTED = 130  # as a shell reports Ctrl-C

app = typer.Typer(
    name="convstudy",
    help="A study of convolutional networks that builds itself.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
app.callback()(common.options)
app.command()(run)
app.command()(build)
app.command()(new)
app.command("list")(list_)
app.add_typer(data.app, name="data")
app.command()(show)
app.command()(explain)
app.command()(inspect)
app.command()(audit)
app.command()(check)
app.command()(serve)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status. --debug may stand anywhere."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if "--debug" in arguments:
        arguments = ["--debug", *(argument for argument in arguments if argument != "--debug")]
    try:
        result = app(arguments, standalone_mode=False)
        status = result if isinstance(result, int) else 0
    except typer.Exit as exit_:
        status = int(exit_.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except Exception as error:
        return common.report_fault(error)
    if status == INTERRUPTED:
        common.say("interrupted; what was finished is kept, and the same command takes it up again", "none")
    return status


if __name__ == "__main__":
    sys.exit(main())
