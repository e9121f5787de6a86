"""Ini files as text: sections of keys, nothing interpreted yet.

The grammar is that of PANNA v1 and v2 (Python's configparser): `key = value` or `key: value`,
lines that begin with # or ; are comments, an indented line continues the value above. Beyond it, a
# or ; after a blank begins a comment too. Percent signs are literal; `%(name)s` is replaced by the
value of `name` in the same section or in [DEFAULT], which holds nothing but such variables, and
`%%` by one percent sign.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from pathlib import Path

from panna.errors import ConfigError
from panna.text import closest

VARIABLES = "DEFAULT"
VARIABLE = re.compile(r"%(?:%|\(([^()\n]+)\)s)")
LOOKS_LIKE_KEY = re.compile(r"[A-Za-z_]\w*\s*=")
HEADER_AND_MORE = re.compile(r"\[[^\]\n]*\][ \t]*([^ \t#;\n][^\n]*)")
DEEPEST_VARIABLE = 10
COMMENT_SIGNS = ("#", ";")


Sections = dict[str, dict[str, tuple[str, str]]]


def read_ini(path: Path) -> Sections:
    """Read the sections of an ini file, variables replaced.

    Returns:
      section -> key (lower case) -> (key as written, value).
    Raises:
      ConfigError: the file is missing, empty, not UTF-8, or not an ini file; a section or key is
        given twice; a variable is unknown or never used.
    """
    content = _decode(path)
    parser = configparser.RawConfigParser(
        default_section="",  # no section: [DEFAULT] is treated below
        comment_prefixes=COMMENT_SIGNS,
        inline_comment_prefixes=COMMENT_SIGNS,
        interpolation=None,
    )
    parser.optionxform = str.strip  # type: ignore[method-assign, assignment]
    try:
        parser.read_string(content, source=str(path))
    except configparser.Error as error:
        raise ConfigError(_syntax_error(path, error)) from error
    if not parser.sections():
        raise ConfigError(f"{path}: the file is empty; expected sections like [IO_INFORMATION]")
    problems = [
        f"{path} line {number}: {match.group(1).strip()!r} found behind a section header; expected "
        "the end of the line or a comment"
        for number, line in enumerate(content.split("\n"), start=1)
        if (match := HEADER_AND_MORE.fullmatch(line))
    ]
    sections: Sections = {}
    for name in parser.sections():
        sections[name] = {}
        for key, value in parser.items(name):
            if key.lower() in sections[name]:
                problems.append(f"{path} [{name}] {key}: the key is given twice; remove one")
            if hidden := _hidden_key(value):
                problems.append(
                    f"{path} [{name}] {key}: the indented line {hidden!r} below it would become "
                    "part of its value; remove the blanks at the beginning of that line"
                )
            sections[name][key.lower()] = (key, value)
    _replace_variables(path, sections, problems)
    if problems:
        raise ConfigError("\n".join(problems))
    return sections


def ini_text(sections: Mapping[str, Mapping[str, str]]) -> str:
    """The text of an ini file from which read_ini reads these sections, key -> value."""
    blocks = []
    for name, keys in sections.items():
        lines = [f"[{name}]"]
        for key, value in keys.items():
            lines.append(f"{key} = {value}".replace("%", "%%").replace("\n", "\n    "))
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _decode(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file{_similar_file(path)}") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path}: is a folder; expected an ini file") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path} line {line}: byte 0x{raw[error.start]:02x} is not UTF-8 text; save the file "
            "with encoding UTF-8"
        ) from error
    content = content.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in content:
        line = content[: content.index("\0")].count("\n") + 1
        raise ConfigError(f"{path} line {line}: holds a zero byte; expected a text file in UTF-8")
    return content


def _similar_file(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"; the folder {folder} does not exist either"
    names = [entry.name for entry in folder.iterdir() if entry.suffix == ".ini"]
    close = closest(path.name, names)
    return f". Did you mean {folder / close}?" if close else f" (working folder {Path.cwd()})"


def _syntax_error(path: Path, error: configparser.Error) -> str:
    if isinstance(error, configparser.DuplicateOptionError):
        return (
            f"{path} line {error.lineno} [{error.section}] {error.option}: the key is given twice; "
            "remove one"
        )
    if isinstance(error, configparser.DuplicateSectionError):
        return (
            f"{path} line {error.lineno} [{error.section}]: the section is given twice; "
            "put its keys together"
        )
    if isinstance(error, configparser.MissingSectionHeaderError):
        return (
            f"{path} line {error.lineno}: {error.line.strip()!r} stands before any section; "
            "expected a section header like [IO_INFORMATION]"
        )
    if isinstance(error, configparser.ParsingError) and error.errors:
        return "\n".join(
            f"{path} line {number}: {_unquoted(line)!r} found; expected `key = value` or [SECTION]"
            for number, line in error.errors
        )
    return f"{path}: {error.message}"


def _unquoted(line: str) -> str:
    # configparser gives the repr of the line.
    return line[1:-1].replace("\\n", "").strip() if line[:1] in "'\"" else line.strip()


def _hidden_key(value: str) -> str | None:
    """The first continued line that was surely meant to be a key of its own."""
    for line in value.split("\n")[1:]:
        if LOOKS_LIKE_KEY.match(line):
            return line
    return None


def _replace_variables(path: Path, sections: Sections, problems: list[str]) -> None:
    """Replace %(name)s and %% in all values, in place; takes [DEFAULT] out."""
    variables = sections.pop(VARIABLES, {})
    used: set[str] = set()

    def expand(name: str, where: str, known: dict[str, str], value: str, depth: int) -> str:
        def replacement(match: re.Match[str]) -> str:
            variable = match.group(1)
            if variable is None:
                return "%"
            used.add(variable.lower())
            content = known.get(variable.lower())
            if content is None:
                close = closest(variable, known)
                hint = f". Did you mean %({close})s?" if close else ""
                problems.append(
                    f"{where}: variable %({variable})s is not defined in [{name}] or "
                    f"[{VARIABLES}]{hint}"
                )
                return ""
            if depth >= DEEPEST_VARIABLE:
                problems.append(f"{where}: variable %({variable})s is defined by itself")
                return ""
            return expand(name, where, known, content, depth + 1)

        # Stops at the first problem: a variable that calls itself twice would grow without end.
        before = len(problems)
        pieces, end = [], 0
        for match in VARIABLE.finditer(value):
            pieces += [value[end : match.start()], replacement(match)]
            end = match.end()
            if len(problems) > before:
                break
        return "".join([*pieces, value[end:]])

    for name, keys in sections.items():
        known = {key: value for key, (_, value) in {**variables, **keys}.items()}
        for key, (written, value) in list(keys.items()):
            where = f"{path} [{name}] {written} = {value}"
            keys[key] = (written, expand(name, where, known, value, 0))
    used |= {
        match.group(1).lower()
        for _, value in variables.values()
        for match in VARIABLE.finditer(value)
        if match.group(1)
    }
    problems.extend(
        f"{path} [{VARIABLES}] {written} = {value}: no value uses %({written})s; [{VARIABLES}] "
        "holds variables only, keys belong in their own section"
        for key, (written, value) in variables.items()
        if key not in used
    )
