"""The published potential with a mistake in its panna.in, and what a message must say about it."""

from __future__ import annotations

import shutil
from pathlib import Path

PUBLISHED = Path(__file__).parent / "data" / "golden" / "lammps"

# name: (text, what stands there instead, words of the message)
DAMAGES = {
    "unknown key": ("zeta = 8.0", "zeta = 8.0\nzetta = 8.0", ["zetta", "line"]),
    "missing key": ("Rc_rad = 4.6\n", "", ["Rc_rad", "missing"]),
    "key given twice": ("zeta = 8.0", "zeta = 8.0\nzeta = 8.0", ["zeta", "twice"]),
    "not a number": ("Rc_rad = 4.6", "Rc_rad = 4,6e", ["Rc_rad"]),
    "not finite": ("Rc_rad = 4.6", "Rc_rad = nan", ["Rc_rad"]),
    "infinite": ("eta_rad = 8.0", "eta_rad = inf", ["eta_rad"]),
    "negative": ("eta_rad = 8.0", "eta_rad = -8.0", ["eta_rad"]),
    "a list for gversion 0": ("Rs0_rad = 0.5", "Rs0_rad = [0.5,0.6]", ["Rs0_rad"]),
    "list too short": ("eta_rad = 8.0", "eta_rad = [8.0,8.0]", ["eta_rad"]),
    "no bracket": ("eta_rad = 8.0", "eta_rad = [8.0", ["eta_rad"]),
    "zero centres": ("RsN_rad = 8", "RsN_rad = 0", ["RsN_rad"]),
    "half a centre": ("RsN_rad = 8", "RsN_rad = 8.5", ["RsN_rad"]),
    "other count": ("Nspecies = 4", "Nspecies = 3", ["Nspecies", "4"]),
    "species twice": ("species = H,C,N,O", "species = H,C,N,H", ["panna.in"]),
    "species without section": ("[O]", "[S]", ["[S]"]),
    "section twice": ("[O]", "[N]", ["[N]", "twice"]),
    "no header": ("[GVECT_PARAMETERS]", "", ["before"]),
    "no key": ("zeta = 8.0", "zeta 8.0", ["zeta", "key = value"]),
    "unknown activation": ("activations = 1,0", "activations = 1,7", ["activations"]),
    "too many activations": ("activations = 1,0", "activations = 1,1,0", ["activations"]),
    "two outputs": ("sizes = 32,1", "sizes = 32,2", ["sizes"]),
    "layers": ("Nlayers = 2", "Nlayers = 3", ["sizes"]),
    "other sizes": ("sizes = 32,1", "sizes = 31,1", ["weights_H.dat", "bytes"]),
    "no file": ("file = weights_H.dat", "file = weights_X.dat", ["weights_X.dat"]),
    "weighted": ("zeta = 8.0", "zeta = 8.0\nweights = 1", ["weights"]),
    "long range": ("[O]", "[LONG_RANGE]\nq = 1\n[O]", ["LONG_RANGE"]),
    "gversion": ("[GVECT_PARAMETERS]", "!gversion = 2\n[GVECT_PARAMETERS]", ["gversion", "2"]),
    "changed by hand": ("zeta = 8.0", "zeta = 8.0\ndescriptor_hash = 0123", ["descriptor_hash"]),
    "eps": ("zeta = 8.0", "zeta = 8.0\neps = -1", ["eps"]),
    "first centre at the cutoff": ("Rs0_rad = 0.5", "Rs0_rad = 4.6", ["Rs", "4.6"]),
    "negative centre": ("Rs0_rad = 0.5", "Rs0_rad = -0.5", ["Rs"]),
    "nothing behind a comma": ("species = H,C,N,O", "species = H,C,N,O,", ["species"]),
    "no number behind a comma": ("sizes = 32,1", "sizes = 32,1,", ["sizes"]),
    "hexadecimal": ("Rc_rad = 4.6", "Rc_rad = 0x4", ["Rc_rad"]),
    "too many centres": ("ThetasN = 4", "ThetasN = 200000000", ["ThetasN", "100000"]),
    "no name of a file": ("file = weights_H.dat", "file =", ["file", "expected"]),
    "unknown version": ("[GVECT_PARAMETERS]", "!version = 1\n[GVECT_PARAMETERS]", ["!version"]),
    "version twice": (
        "[GVECT_PARAMETERS]",
        "!gversion = 0\n!gversion = 0\n[GVECT_PARAMETERS]",
        ["!gversion", "twice"],
    ),
}


def damaged(name: str, folder: Path) -> tuple[Path, list[str]]:
    """A copy of the published potential with a mistake, and the words that tell it."""
    old, new, words = DAMAGES[name]
    shutil.copytree(PUBLISHED, folder)
    text = (folder / "panna.in").read_text()
    assert old in text
    (folder / "panna.in").write_bytes(text.replace(old, new, 1).encode())
    return folder, words
