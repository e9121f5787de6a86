"""What is in a folder of examples, and what in it is suspicious.

statistics   one pass over the frames: a few numbers of each (with pairs, runs, reference,
             same_geometry)
findings     what a check is and finds, and the list of all checks
checks/      what is looked for, one function each
sections     the words, numbers, tables and plots of the report
report       the sections with their findings and verdicts, and the JSON file
page         the report as one HTML page
"""
