"""The ini file of panna_learning_curve."""

from __future__ import annotations

from panna.config.schema import Key, Schema, Section
from panna.config.values import (
    Kind,
    choice,
    comma_list,
    different,
    path,
    positive_integer,
    positive_real,
)

IO = Section(
    "IO_INFORMATION",
    (
        Key("train_ini", path,
            meaning="ini file of panna_train: how to train; its data_dir is what frames are drawn "
                    "from"),
        Key("test_dir", path,
            meaning="folder with the *.tfrecord files of the test set, which no training sees"),
        Key("output_dir", path, meaning="folder for the table, the plot and all trainings"),
    ),
    required=True,
    meaning="files",
)  # fmt: skip


def _to_reference(content: str) -> tuple[str, int, float]:
    parts = [part.strip() for part in content.rsplit(":", 2)]
    if len(parts) != 3 or not parts[0]:
        raise ValueError(f"expected {reference.expected}")
    try:
        return parts[0], positive_integer(parts[1]), positive_real(parts[2])
    except ValueError as error:
        raise ValueError(f"expected {reference.expected} ({error})") from error


reference = Kind("label:frames:error, such as sGDML:100:0.0554", _to_reference)

CURVE = Section(
    "LEARNING_CURVE",
    (
        Key("sizes", different(comma_list(positive_integer)), (100, 250, 500, 1000), unit="frames",
            meaning="sizes of the training sets"),
        Key("seeds", positive_integer, 5,
            meaning="trainings for each size and mode, with the seeds 0, 1, ...: of the drawn "
                    "frames, the first weights and the order of frames. The sets of one seed are "
                    "nested"),
        Key("modes", different(comma_list(choice("energies", "energies_forces"))),
            ("energies", "energies_forces"),
            meaning="energies: forces_cost = 0; energies_forces: as train_ini says"),
        Key("length", choice("steps", "epochs"), "steps",
            meaning="steps: every training has the steps that train_ini takes for the largest "
                    "size; epochs: every training has its max_epochs, so small sets few steps"),
        Key("step_number", choice("last", "best", synonyms={"-1": "last"}), "last",
            meaning="the model that is tested: of the last step, or the one with the smallest "
                    "validation loss"),
        Key("energy", choice("per_atom", "total"), "per_atom",
            meaning="errors of energies on screen and plot; the table has both"),
        Key("error", choice("RMSE", "MAE"), "RMSE", meaning="what is plotted; the table has both"),
        Key("energy_references", comma_list(reference), (), unit="meV or meV/atom",
            meaning="errors of others to draw, of the same kind: label:frames:error, ..."),
        Key("force_references", comma_list(reference), (), unit="eV/angstrom",
            meaning="the same for forces"),
    ),
    meaning="what is trained and shown",
)  # fmt: skip

LEARNING_CURVE = Schema(
    "panna_learning_curve",
    (IO, CURVE),
    meaning="errors on a test set over the size of the training set",
)
