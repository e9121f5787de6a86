"""What the test set holds."""

from __future__ import annotations

import numpy as np

from panna.report.content import Fact, Table
from panna.report.level import Level
from panna.text import counted
from panna.validation.section import Content, Judgement, section
from panna.validation.subject import Subject

FEW = 20  # frames
ADVICE = "Add test frames that training has not seen, of every kind that you will simulate."


@section("data", "Test set", "What the potential is tested on.")
def data(subject: Subject) -> Content:
    """Counts, and ranges of energies and forces."""
    test = subject.test
    per_atom = (test.energies - test.offsets) / test.n_atoms
    lengths = np.linalg.norm(test.forces, axis=1)
    frames = np.arange(len(test))
    with_forces = np.isfinite(lengths)[np.searchsorted(test.frame, frames)]
    with_stress = np.isfinite(test.stresses).all(1)
    facts = [
        Fact("frames", "frames", len(test)),
        Fact("atoms", "atoms", int(test.n_atoms.sum())),
        Fact("atoms_per_frame", "atoms per frame", _range(test.n_atoms)),
        Fact("with_energy", "with energy", int(np.isfinite(test.energies).sum())),
        Fact("with_forces", "with forces", int(with_forces.sum())),
        Fact("with_stress", "with stress", int(with_stress.sum())),
        Fact("energies", "energy per atom without reference energies", _range(per_atom), "eV"),
        Fact("forces", "length of a force", _range(lengths), "eV/Å"),
    ]
    atoms = np.bincount(test.species, minlength=len(subject.species)).tolist()
    tables = [
        Table("species", "Species", ["species", "atoms"],
              [list(pair) for pair in zip(subject.species, atoms, strict=True)]),
    ]  # fmt: skip
    for key, title, values in (
        ("groups", "Groups", test.groups),
        ("compositions", "Compositions", test.compositions),
    ):
        names, counts = np.unique(values.astype(str), return_counts=True)
        if len(names) > 1:
            rows = [[name or "(none)", int(n)] for name, n in zip(names, counts, strict=True)]
            rows.sort(key=lambda row: -row[1])
            tables.append(Table(key, title, [title.lower()[:-1], "frames"], rows))
    return Content(facts, tables, judgements=_judgements(subject, int(with_forces.sum())))


def _judgements(subject: Subject, with_forces: int) -> list[Judgement]:
    test, found = subject.test, []
    if test.unreadable:
        name, reason = test.unreadable[0]
        count = counted(len(test.unreadable), "file")
        found.append(
            Judgement(Level.BAD, f"{count} could not be used, the first: {name}: {reason}.",
                      "Mend or remove them.")
        )  # fmt: skip
    absent = [s for k, s in enumerate(subject.species) if k not in set(test.species.tolist())]
    if absent:
        found.append(Judgement(Level.DOUBTFUL, f"No test frame has {', '.join(absent)}.", ADVICE))
    if len(test) < FEW:
        text = f"Only {counted(len(test), 'frame')}: the errors below are uncertain."
        found.append(Judgement(Level.DOUBTFUL, text, ADVICE))
    if not with_forces:
        found.append(Judgement(Level.DOUBTFUL, "No forces are known.", ADVICE))
    if not found:
        found.append(Judgement(Level.GOOD, f"{len(test)} frames with all species."))
    return found


def _range(values: np.ndarray) -> list | None:
    known = values[np.isfinite(values)]
    return [known.min().item(), known.max().item()] if len(known) else None
