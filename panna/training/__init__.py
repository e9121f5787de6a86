"""Training: losses, schedules, the loop, checkpoints and summaries.

Importing this package does not import TensorFlow; `loop` does.
"""
