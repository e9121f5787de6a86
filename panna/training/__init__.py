"""Training: from packed descriptors to networks.

`session` prepares a training from its configuration and `loop` runs it. Around them: `data`,
`statistics`, `reference_energies` and `scaling` for what the networks see; `networks`, `step`,
`losses`, `adam` and `schedule` for the optimisation; `state`, `checkpoints` and `restart` for going
on later; `metrics` and the folder `board` for looking at it; `interrupt`, `memory` for the machine.

Importing this package does not import TensorFlow; `tensorflow_setup` does so in the right way.
"""
