"""The ini files of the programs: what they may contain, reading them.

`ini` is the grammar, `values` the types of values, `schema` what a file may contain and `reader`
what it does contain; `gvect`, `tfr`, `train`, `evaluate` and `extract` are the schemas of the
programs, `arguments` their command line.
"""
