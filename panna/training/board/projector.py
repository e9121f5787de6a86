"""The projector: the last hidden layer at the atoms of the sample, coloured by species.

TensorBoard projects the points to two or three dimensions (PCA, t-SNE, UMAP). Its files lie beside
the event files of the run "result":

    projector_config.pbtxt     names the others
    last_hidden_layer.tsv      one atom a row; narrower networks are filled up with zeros
    metadata.tsv               species, frame, number of the atom in it, energy in eV
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from panna.files import atomic_write, make_folder
from panna.network.evaluate import atomic_energies, last_hidden_layer
from panna.network.parameters import Model
from panna.storage.batch_source import Batch
from panna.training.statistics import frame_names

CONFIG, TENSOR, METADATA = "projector_config.pbtxt", "last_hidden_layer.tsv", "metadata.tsv"
HEADER = ("species", "frame", "atom", "energy_eV")
MOST_ATOMS = 2000


def write_projector(folder: Path, model: Model, batch: Batch) -> None:
    """Writes the three files, each of them complete or not at all.

    Args:
      folder: that of a run with event files; without these TensorBoard does not look into it.
      batch: NumPy arrays, as `BatchSource.load` describes them.
    Raises:
      FileError: a file cannot be written.
    """
    n = len(batch["species"])
    atoms = np.unique(np.linspace(0, n - 1, min(n, MOST_ATOMS)).astype(int))
    species, descriptors = batch["species"][atoms], batch["descriptors"][atoms]
    points = last_hidden_layer(model, species, descriptors)
    energies = atomic_energies(model, species, descriptors) - model.offsets[species]
    rows = ["\t".join(HEADER)]
    frames, starts = batch["frame_of_atom"], np.cumsum(batch["n_atoms"]) - batch["n_atoms"]
    names = [name.replace("\t", " ") for name in frame_names(batch["name"])]
    for atom, s, energy in zip(atoms, species, energies, strict=True):
        frame = frames[atom]
        number = atom - starts[frame]
        rows.append(f"{model.species[s]}\t{names[frame]}\t{number}\t{energy:.6f}")
    make_folder(folder)
    tensor = "".join("\t".join(f"{value:.6g}" for value in row) + "\n" for row in points)
    _write(folder / TENSOR, tensor)
    _write(folder / METADATA, "\n".join(rows) + "\n")
    _write(
        folder / CONFIG,
        "embeddings {\n"
        '  tensor_name: "last hidden layer"\n'
        f'  tensor_path: "{TENSOR}"\n'
        f'  metadata_path: "{METADATA}"\n'
        f"  tensor_shape: {points.shape[0]}\n"
        f"  tensor_shape: {points.shape[1]}\n"
        "}\n",
    )


def _write(path: Path, content: str) -> None:
    with atomic_write(path) as file:
        file.write(content)
