"""XML of simulation programs, one part at a time, from files that nobody has checked."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from panna.errors import FrameError
from panna.extras import require
from panna.frames.text_lines import READ_ERRORS, damaged, open_data

if TYPE_CHECKING:
    from lxml.etree import _Element as Element


def parts(path: Path, root: str, drop: Collection[str] = ()) -> Iterator[tuple[Element, int]]:
    """The children of the root element, each complete, each freed when the next is asked for.

    Entities are not expanded and nothing is fetched: a file that declares any is refused.

    Args:
      root: name of the root element, without namespace.
      drop: names of elements whose content is not needed; it is freed at once.
    Yields:
      The child, and how many bytes of the file have been read.
    Raises:
      MissingPackage: lxml is not installed.
      FrameError: not XML, cut off, of another root, or with a document type declaration.
    """
    require("lxml", "tools", "reading XML")
    from lxml import etree

    try:
        with open_data(path) as (data, consumed):
            depth = 0
            events = etree.iterparse(
                data, ("start", "end"), resolve_entities=False, no_network=True, load_dtd=False
            )
            for event, element in events:
                if event == "start":
                    depth += 1
                    if depth == 1:
                        _check_root(element, root)
                    continue
                depth -= 1
                if depth == 1:
                    yield element, consumed()
                if depth == 1 or local_name(element) in drop:
                    element.clear()
                    while depth == 1 and element.getprevious() is not None:
                        del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        reason = str(error).partition(" (<string>")[0].partition(f" ({path}")[0]
        raise FrameError(f"not complete, well-formed XML: {reason}") from error
    except READ_ERRORS as error:
        raise damaged(error) from error


def _check_root(element: Element, expected: str) -> None:
    document = element.getroottree().docinfo
    if document.doctype or document.internalDTD is not None:
        raise FrameError("it has a document type declaration, which no simulation program writes")
    if local_name(element) != expected:
        raise FrameError(f"the root element is {local_name(element)}, {expected} expected")


def local_name(element: Element) -> str:
    """Name of an element without its namespace; empty for comments and the like."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
