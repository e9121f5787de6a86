"""Options of the tools that look at a random sample of frames."""

from __future__ import annotations

import argparse

FRAMES = 200


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """Add --frames and --seed."""
    parser.add_argument(
        "--frames", type=_positive, default=FRAMES, metavar="N",
        help=f"look at N random frames at most and about 50 000 atoms (default {FRAMES})",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=_whole, default=0, metavar="N", help="of the random choice (default 0)"
    )


def _positive(text: str) -> int:
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return number


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer of 0 or more")
    return int(text)
