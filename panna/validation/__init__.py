"""Whether a potential can be trusted: one page of numbers, plots and verdicts.

`subject.Subject` is what is validated, `section.SECTIONS` what is looked at: each section is one
function in a file of sections/, `report` runs them all, `page` shows them.
"""
