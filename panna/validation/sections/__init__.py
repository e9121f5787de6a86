"""The sections of the report, one file each; importing this puts all on the list, in order."""

from panna.validation.sections import data as data
from panna.validation.sections import errors as errors
