"""Whether a potential can be trusted: one page of numbers, plots and verdicts.

subject      what is validated: potential, test set, crystal, reference, thresholds
section      what a section holds, and the list of all
sections/    what is looked at: one function in one file for each section
crystals/, dynamics/, lammps/, and the files beside: the science behind them
report       the sections with their verdicts, and the JSON file
page         the report as one HTML page
"""
