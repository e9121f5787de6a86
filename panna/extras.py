"""Packages that pip installs beside PANNA on request, the extras of setup.py."""

from __future__ import annotations

import importlib.util

from panna.errors import PannaError


class MissingPackage(PannaError):
    """A package of an extra that is not installed."""

    code = "package"


def pip_install(extra: str) -> str:
    """The command that brings the packages of an extra."""
    return f"pip install '.[{extra}]' in the checkout of PANNA"


def missing(*names: str) -> str | None:
    """The first of some packages that is not installed; None if all are there."""
    return next((name for name in names if importlib.util.find_spec(name) is None), None)


def require(name: str, extra: str, purpose: str) -> None:
    """To be called before the first import of a package.

    Raises:
      MissingPackage: it is not installed. purpose: what needs it, for the message.
    """
    if missing(name):
        raise MissingPackage(f"{name} is not installed, {purpose} needs it; {pip_install(extra)}")
