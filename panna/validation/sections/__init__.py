"""The sections of the report, one file each; importing this puts all on the list."""

from panna.validation.sections import committee as committee
from panna.validation.sections import coverage as coverage
from panna.validation.sections import data as data
from panna.validation.sections import defects as defects
from panna.validation.sections import dimers as dimers
from panna.validation.sections import elastic as elastic
from panna.validation.sections import equation_of_state as equation_of_state
from panna.validation.sections import errors as errors
from panna.validation.sections import learning as learning
from panna.validation.sections import nve as nve
from panna.validation.sections import phonons as phonons
from panna.validation.sections import rdf as rdf
from panna.validation.sections import speed as speed
