"""What TensorBoard shows of a training: train_dir/tensorboard.

`board` says what is written when; `event_files` and `rewind` write it and take back what a restart
does again. One file for each kind of diagram: `scalars`, `histograms`, `parity` (images),
`hyperparameters`, `projector`. The latter ones look at a few frames (`sample`) with the eyes of the
present model (`prediction`), in NumPy, as often as `cadence` allows.
"""
