"""The command line of programs that take one ini file."""

from __future__ import annotations

import argparse


def config_parser(prog: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    """A parser with --config.

    Args:
      prog: name of the command.
      description, epilog: shown by --help as they are.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", "--config", required=True, metavar="FILE", help="ini file")
    return parser
