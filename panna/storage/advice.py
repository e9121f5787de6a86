"""What someone should know before waiting for a calculation of descriptors."""

from __future__ import annotations

import shutil

from panna.storage.calculate import Calculation, Worklist
from panna.storage.survey import Survey, readable_bytes

WORTHWHILE = 0.8  # sparse derivatives are recommended below this part of the dense size


def advice(calculation: Calculation, work: Worklist, sample: Survey | None) -> list[str]:
    """Lines about the files that are there, the species, the disk and the derivatives.

    Args:
      calculation: its output_dir must exist.
      work: what is to be done.
      sample: what the examples to be computed look like; None if none of them is readable.
    """
    lines = _strangers(calculation, work)
    if not work.todo:
        return lines
    if sample is None:
        return [*lines, "none of the examples looked at can be used"]
    unknown = sorted(set(sample.species) - set(calculation.parameters.species))
    if unknown:
        lines.append(
            f"examples with {', '.join(unknown)} will be left out; add it to [SYMMETRY_FUNCTION] "
            "species to use them"
        )
    free = shutil.disk_usage(calculation.output_dir).free
    if sample.bytes > free:
        lines.append(
            f"only {readable_bytes(free)} are free on the disk of {calculation.output_dir}"
        )
    if calculation.derivatives == "dense" and sample.sparse_bytes < WORTHWHILE * sample.dense_bytes:
        lines.append(
            f"sparse_derivatives = True would need about {readable_bytes(sample.sparse_bytes)}"
        )
    if calculation.derivatives != "none":
        lines.append(
            "forces can also be trained without stored derivatives (include_derivatives = False "
            "here, derivatives = on_the_fly in train.ini)"
        )
    return lines


def _strangers(calculation: Calculation, work: Worklist) -> list[str]:
    if not work.strangers:
        return []
    count = len(work.strangers)
    files = f"{count} .bin file{'s'[: count > 1]}"
    return [
        f"{calculation.output_dir} has {files} of other examples (first: "
        f"{work.strangers[0].name}); tfr_packer will pack them too"
    ]
