"""Divides the frames of an extended XYZ file: those with a text in their second line, the others.

python split.py FRAMES.xyz.xz TEXT OTHERS.xyz THOSE.xyz
"""

import lzma
import sys

source, text, others, those = sys.argv[1:]
with lzma.open(source, "rt") as frames, open(others, "w") as a, open(those, "w") as b:
    for count in frames:
        header = next(frames)
        target = b if text in header else a
        target.writelines([count, header, *(next(frames) for _ in range(int(count)))])
