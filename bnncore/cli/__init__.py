"""The command ``bnncore``: one module a command, imported when it is used. How it ends: ``bnncore.cli.ending``."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from bnncore import __version__
from bnncore.cli.ending import exit_code, past_click
from bnncore.plain_text import shown
from bnncore.spelling import spelled_as_options

__all__ = ["cli", "main"]

# Command -> one line of help. The module of the same name has a click command ``command``.
_COMMANDS = {
    "list": "List the installed datasets.",
    "info": "Show what is known of a dataset.",
    "classify": "Classify pictures.",
    "explain": "Show where a dataset, its network and its backend come from.",
    "plugins": "List the installed plugins and their state.",
    "new": "Write a new plugin project.",
    "pack": "Put trained parameters into a plugin project.",
    "train": "Train a network, for a dataset or for your own pictures.",
    "import": "Take over a network that was trained elsewhere.",
    "evaluate": "Measure accuracy on labelled images.",
    "convert": "Write parameters in the other format: .npz, or a BNN-PYNQ folder.",
    "data": "Make a known data set ready for training.",
    "benchmark": "Measure every backend that can run here.",
    "check": "Check that a plugin holds to the contract.",
    "notebooks": "Copy the notebooks to a folder.",
    "doctor": "Check this machine and every plugin, in plain words.",
}


class _Lazy(click.Group):
    """A group that imports a command's module only when it runs, so that ``--help`` is quick."""

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:
        with past_click():
            return super().make_context(*arguments, **settings)

    def invoke(self, context: click.Context) -> Any:
        with past_click():
            return super().invoke(context)

    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        # ``list`` would hide the built-in within its own module.
        module = importlib.import_module(f"bnncore.cli.{name}_")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _COMMANDS and not args[0].startswith("-"):
            # Needed for an error alone.
            import difflib

            close = difflib.get_close_matches(args[0], _COMMANDS)
            hint = f"Did you mean {' or '.join(close)}?" if close else "bnncore --help lists the commands."
            context.fail(f"No such command {shown(args[0])}. {hint}")
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


# click keeps the line breaks of a paragraph that begins with a backspace.
_HELP = """Classify pictures with binarized neural networks, on a CPU or on a PYNQ board's FPGA.

\b
Start here:
  bnncore list                          what is installed
  bnncore classify cucumber9 photo.jpg  classify a picture
  bnncore doctor                        if something does not work
"""


@click.group(
    cls=_Lazy,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="bnncore")
@click.pass_context
def cli(context: click.Context) -> None:
    """Run one command."""
    context.with_resource(spelled_as_options())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; whatever goes wrong is one line on standard error."""
    sys.exit(exit_code(lambda: cli.main(args=arguments, prog_name="bnncore", standalone_mode=False)))
