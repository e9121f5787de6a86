"""Files of other programs, one configuration at a time, for the parsers in panna/tools."""
