"""Parsers, which make .example files from the output of other codes, and the visual tools.

Each file is one program with its own console command.
"""
