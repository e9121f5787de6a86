"""Storage: descriptors on disk and on their way to the trainer.

`record` is one frame's descriptors in memory, `frame_record` makes it from a frame, `bin_file` and
`bin_trailer` are the .bin format, `tfrecord` the TFRecord format, `dataset` the batches for
training from `batch_source` and `record_index`. `calculate`, `forecast` and `pack` are the work of
the programs gvect_calculator and tfr_packer.
TensorFlow is imported only by `tfrecord`, `batch_source` and `dataset`.
"""
