"""The command lines of programs."""

from __future__ import annotations

import argparse


def program_parser(prog: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    """A parser without arguments.

    Args:
      prog: name of the command.
      description, epilog: shown by --help as they are.
    """
    return argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def config_parser(prog: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    """A parser with --config, for programs that take one ini file; see program_parser."""
    parser = program_parser(prog, description, epilog)
    parser.add_argument("-c", "--config", required=True, metavar="FILE", help="ini file")
    return parser
