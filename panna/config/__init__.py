"""The ini files of the programs: what they may contain, reading them, describing them."""

from panna.config.reader import Config, read_config

__all__ = ["Config", "read_config"]
