"""Batches for training: complete, reproducible, and the same from both sources of derivatives."""

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from descriptor_cases import mbp, random_frame
from storage_cases import a_record

from panna import core
from panna.descriptors import evaluate
from panna.descriptors.scaling import Scaling
from panna.errors import StorageError
from panna.frames.frame import Frame
from panna.network.forces import OnTheFly, Stored, forces_from, neighbours_of, slope_gradients
from panna.storage.dataset import inspect_files, open_dataset
from panna.storage.frame_record import describe
from panna.storage.tfrecord import write_tfrecord

PARAMETERS = mbp(species=("Si", "O"))
SIZE = PARAMETERS.size
CELLS = ("molecule", "triclinic crystal", "cell smaller than the cutoff", "slab", "wire")


def labelled(frame: Frame, number: int) -> Frame:
    """The frame with a name and invented labels."""
    forces = np.random.default_rng(number).normal(size=(frame.n_atoms, 3))
    return replace(
        frame, name=f"frame{number}", energy=-1000.0 - number / 7, forces=forces, weight=number + 1
    )


@pytest.fixture(scope="module")
def records():
    """Ten frames of 3 or 14 atoms, periodic in 0 to 3 directions."""
    frames = [
        labelled(random_frame(CELLS[i % 5], PARAMETERS.species, seed=i), i) for i in range(10)
    ]
    return [describe(frame, PARAMETERS, "sparse") for frame in frames]


def written(folder, records, sparse=True):
    paths = [folder / "a-1-2.tfrecord", folder / "a-2-2.tfrecord"]
    for path, some in zip(paths, (records[:4], records[4:]), strict=True):
        write_tfrecord(path, some, sparse=sparse)
    return paths


@pytest.fixture(scope="module")
def files(records, tmp_path_factory):
    return written(tmp_path_factory.mktemp("tfr"), records)


@pytest.fixture(scope="module", params=["sparse", "dense"])
def without_positions(request, records, tmp_path_factory):
    """The same as PANNA writes it: derivatives, but no positions."""
    bare = [replace(record, positions=None, cell=None, pbc=None) for record in records]
    return written(tmp_path_factory.mktemp("bare"), bare, request.param == "sparse")


def opened(files, source="none", **options):
    return open_dataset(files, 2, SIZE, source, **{"batch_size": 4, "seed": 5, **options})


def names(batches):
    return [batch["name"].tolist() for batch in batches]


def assert_equal_batches(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            for a, b in zip(one[name], other[name], strict=True):
                np.testing.assert_array_equal(a, b, err_msg=name)


def test_an_epoch_has_every_frame_once_and_keeps_the_last_small_batch(files):
    batches = names(opened(files).epoch_batches(0))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(chain(*batches)) == sorted(f"frame{i}".encode() for i in range(10))


def test_the_order_depends_on_seed_and_epoch_alone(files):
    first = names(opened(files).epoch_batches(3))
    assert names(opened(files, source="stored").resident().epoch_batches(3)) == first
    assert names(opened(files).epoch_batches(4)) != first
    assert names(opened(files, seed=6).epoch_batches(3)) != first


@pytest.mark.parametrize("source", ["none", "stored", "on_the_fly"])
def test_skipped_batches_leave_exactly_the_rest_of_the_epoch(files, source):
    dataset = opened(files, source)
    whole = list(dataset.epoch_batches(2))
    assert_equal_batches(list(dataset.epoch_batches(2, skip=1)), whole[1:])
    assert list(dataset.epoch_batches(2, skip=3)) == []


def test_without_shuffle_frames_come_in_the_order_of_the_files(files):
    batches = names(opened(files, shuffle=False).epoch_batches(7))
    assert list(chain(*batches)) == [f"frame{i}".encode() for i in range(10)]


@pytest.mark.parametrize("source", ["none", "stored", "on_the_fly"])
def test_memory_and_parallel_calls_change_nothing(files, source):
    options = {"forces": True, "virials": True}
    plain = list(opened(files, source, **options).epoch_batches(1))
    parallel = opened(files, source, **options, parallel_calls=3, prefetch=1)
    seen = []
    resident = opened(files, source, **options).resident(seen.append)
    assert sum(seen) == 10
    for dataset in (parallel, resident):
        for _ in range(2):
            assert_equal_batches(list(dataset.epoch_batches(1)), plain)


@pytest.mark.parametrize("kept", [False, True])
def test_inputs_are_descriptors_standardised_by_species(files, kept):
    mean, std = np.arange(2.0 * SIZE).reshape(2, -1), np.full((2, SIZE), 0.5)
    raw = list(opened(files).epoch_batches(0))
    dataset = opened(files).resident() if kept else opened(files)
    dataset = dataset.standardised(Scaling(mean, std), "float32")
    for batch, before in zip(dataset.epoch_batches(0), raw, strict=True):
        s = before["species"]
        expected = (before["descriptors"].astype(float) - mean[s]) / std[s]
        assert batch["descriptors"].dtype == np.float32
        np.testing.assert_array_equal(batch["descriptors"], expected.astype(np.float32))


@pytest.mark.parametrize("kept", [False, True])
def test_exact_descriptors_are_those_of_the_core(files, kept):
    dataset = opened(files, "on_the_fly", exact=True)
    for batch in (dataset.resident() if kept else dataset).epoch_batches(0):
        assert batch["descriptors"].dtype == np.float64
        expected = evaluate.compute(PARAMETERS, neighbours_of(batch))
        np.testing.assert_array_equal(batch["descriptors"], expected)


def test_virials_that_frames_do_not_have_are_nan(records, tmp_path):
    virial = np.arange(9.0).reshape(3, 3)
    some = [replace(records[0], virial=virial), replace(records[1], virial=None)]
    write_tfrecord(tmp_path / "v.tfrecord", some)
    dataset = opened([tmp_path / "v.tfrecord"], virials=True, shuffle=False)
    found = next(dataset.epoch_batches(0))["virial"]
    np.testing.assert_array_equal(found[0], virial)
    assert np.isnan(found[1]).all()


def test_a_bare_data_set_has_all_frames_in_order_without_derivatives(files):
    for dataset in (opened(files, "stored"), opened(files, "stored").resident()):
        batches = list(dataset.bare().epoch_batches(5))
        assert list(chain(*names(batches))) == [f"frame{i}".encode() for i in range(10)]
        assert "forces" in batches[0] and not {"blocks", "first"} & batches[0].keys()


def test_the_memory_of_a_frame_is_measured(files):
    none, stored = (opened(files, s).source.frame_bytes(np.arange(3)) for s in ("none", "stored"))
    # Three frames of 3 or 14 atoms, each with a neighbour at least.
    assert stored - none > 3 * 3 * 3 * SIZE * 4
    half = opened(files, "stored_half").source.frame_bytes(np.arange(3))
    blocks = next(opened(files, "stored", batch_size=3, shuffle=False).epoch_batches(0))["blocks"]
    assert stored - half == sum(one.nbytes for one in blocks) // 2


def test_the_arrays_of_a_batch_are_the_records_one_after_the_other(files, records):
    by_name = {record.name.encode(): record for record in records}
    for batch in opened(files, forces=True).epoch_batches(0):
        chosen = [by_name[name] for name in batch["name"]]
        assert np.array_equal(batch["energy"], [record.energy for record in chosen])
        assert np.array_equal(batch["weight"], [record.weight for record in chosen])
        assert np.array_equal(batch["n_atoms"], [record.n_atoms for record in chosen])
        assert np.array_equal(batch["species"], np.concatenate([r.species for r in chosen]))
        joined = np.concatenate([record.descriptors for record in chosen])
        assert np.array_equal(batch["descriptors"], joined)
        forces = np.concatenate([record.forces for record in chosen]).astype(np.float32)
        assert np.array_equal(batch["forces"], forces)
        frames = np.repeat(np.arange(len(chosen)), [record.n_atoms for record in chosen])
        assert np.array_equal(batch["frame_of_atom"], frames)


def test_all_sources_of_derivatives_give_the_same_products(files, without_positions):
    """In both directions: forces, and changes of descriptors."""
    rng = np.random.default_rng(0)
    batches = [
        opened(paths, source).epoch_batches(0)
        for paths, source in (
            (files, "on_the_fly"),
            (files, "stored"),
            (without_positions, "stored"),
        )
    ]
    for flying, *others in zip(*batches, strict=True):
        de_dg = rng.normal(size=flying["descriptors"].shape).astype(np.float32)
        moves = rng.normal(size=(len(de_dg), 3))
        exact = OnTheFly(PARAMETERS)
        forces = forces_from(flying, exact.slopes(flying, de_dg))
        changes = exact.changes(flying, slope_gradients(flying, moves, None))
        for batch in others:
            found = forces_from(batch, Stored().slopes(batch, de_dg))
            # float32 of the stored elements; both are sums of many of them
            np.testing.assert_allclose(found, forces, atol=1e-6 * np.abs(forces).max())
            found = Stored().changes(batch, slope_gradients(batch, moves, None))
            np.testing.assert_allclose(found, changes, atol=1e-6 * np.abs(changes).max())


@pytest.mark.parametrize("resident", [False, True])
def test_half_precision_rounds_the_stored_derivatives(files, without_positions, resident):
    rng = np.random.default_rng(0)
    for paths in (files, without_positions):
        datasets = [opened(paths, source) for source in ("stored", "stored_half")]
        datasets = [one.resident() for one in datasets] if resident else datasets
        for single, half in zip(*(one.epoch_batches(0) for one in datasets), strict=True):
            rounded = [blocks.astype(np.float16) for blocks in single["blocks"]]
            for mine, blocks in zip(half["blocks"], rounded, strict=True):
                assert mine.dtype == np.float16 and np.array_equal(mine, blocks)
            de_dg = rng.normal(size=half["descriptors"].shape).astype(np.float32)
            moves = rng.normal(size=(len(half["index"]), 3))
            again = {**half, "blocks": [blocks.astype(np.float32) for blocks in rounded]}
            for product, of in ((Stored().slopes, de_dg), (Stored().changes, moves)):
                expected = product(again, of)
                close = 1e-6 * np.abs(expected).max()  # other order of the sums
                np.testing.assert_allclose(product(half, of), expected, atol=close)
                # 11 binary digits of each of many numbers
                exact = product(single, of)
                np.testing.assert_allclose(expected, exact, atol=1e-3 * np.abs(exact).max())


def test_derivatives_beyond_half_precision_are_refused(records, tmp_path):
    large = replace(records[0].sparse_derivatives())
    large = replace(large, values=large.values * np.float32(1e6))
    path = tmp_path / "large.tfrecord"
    bare = replace(records[0], derivatives=large, positions=None, cell=None, pbc=None)
    write_tfrecord(path, [bare], sparse=True)
    next(opened([path], "stored").epoch_batches(0))
    with pytest.raises(
        StorageError,
        match=r"large\.tfrecord, record 1: a derivative of \S+ 1/angstrom found, half precision "
        r"ends at 65504; train with derivatives = stored",
    ):
        next(opened([path], "stored_half").epoch_batches(0))


def test_single_and_half_precision_do_not_mix(files):
    batch = next(opened(files, "stored").epoch_batches(0))
    batch["blocks"][-1] = batch["blocks"][-1].astype(np.float16)
    with pytest.raises(core.CoreError, match="float32 and float16 in one batch"):
        Stored().slopes(batch, np.zeros_like(batch["descriptors"]))


def test_derivatives_that_do_not_add_up_are_refused(records, tmp_path):
    some = replace(records[0].sparse_derivatives(), values=records[0].derivatives.values.copy())
    some.values[len(some.values) // 2] += 1.0
    broken = replace(records[0], derivatives=some, positions=None, cell=None, pbc=None)
    path = tmp_path / "broken.tfrecord"
    write_tfrecord(path, [broken], sparse=True)
    with pytest.raises(
        StorageError, match=r"broken\.tfrecord, record 1: .* all atoms move together"
    ):
        next(opened([path], "stored").epoch_batches(0))


def test_the_summary_tells_what_the_files_hold(files):
    summary = inspect_files(files)
    assert (summary.n_frames, summary.g_size) == (10, SIZE)
    assert summary.descriptor_hash == PARAMETERS.hash
    assert summary.has_forces and summary.has_derivatives and summary.has_geometry


def test_files_of_panna_are_read_but_not_on_the_fly(golden):
    files = [golden / "carbon" / "tfr_data-3-3.tfrecord"]
    dataset = open_dataset(files, 1, 80, "stored", batch_size=3)
    assert [len(batch) for batch in names(dataset.epoch_batches(0))] == [3, 3, 3, 1]
    assert inspect_files(files).descriptor is None
    with pytest.raises(StorageError, match="PANNA v1"):
        open_dataset(files, 1, 80, "on_the_fly", batch_size=3)


def test_options_that_the_files_do_not_meet_are_errors(files, records, tmp_path):
    with pytest.raises(StorageError, match=f"{SIZE} components found, g_size = 7"):
        open_dataset(files, 2, 7, batch_size=4)
    with pytest.raises(StorageError, match=r"2 species \(Si, O\) found, 3 expected"):
        open_dataset(files, 3, SIZE, batch_size=4)
    with pytest.raises(StorageError, match="none, stored, stored_half, on_the_fly"):
        open_dataset(files, 2, SIZE, "cached", batch_size=4)
    bare = tmp_path / "bare.tfrecord"
    nothing = dict(derivatives=None, forces=None, positions=None, cell=None, pbc=None)
    write_tfrecord(bare, [replace(records[0], **nothing)])
    with pytest.raises(StorageError, match="no derivatives stored"):
        open_dataset([bare], 2, SIZE, "stored", batch_size=4, forces=False)
    with pytest.raises(StorageError, match="forces_cost = 0"):
        open_dataset([bare], 2, SIZE, batch_size=4, forces=True)
    with pytest.raises(StorageError, match="no TFRecord file"):
        open_dataset([], 2, SIZE, batch_size=4)


def test_different_descriptors_are_named(files, tmp_path):
    other = tmp_path / "other.tfrecord"
    write_tfrecord(other, [a_record()])
    with pytest.raises(StorageError, match=r"a-1-2.*other\.tfrecord.*different descriptors"):
        open_dataset([*files, other], 2, SIZE, batch_size=4)


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"forces": None}, r"record 3 \(.*\): forces .* Leave such frames out"),
        ({"derivatives": None}, "record 3: no derivatives"),
        ({"species": np.array([0, 2, 1], np.int32)}, "record 3: species 2 found, 0 to 1"),
    ],
)
def test_a_record_that_does_not_fit_is_named_when_it_is_met(tmp_path, change, reason):
    path = tmp_path / "mixed.tfrecord"
    bare = dict(positions=None, cell=None, pbc=None, descriptor=None, descriptor_hash="")
    write_tfrecord(path, [a_record(**bare), a_record(**bare), a_record(**{**bare, **change})])
    dataset = open_dataset([path], 2, 5, "stored", batch_size=2)
    with pytest.raises(StorageError, match=rf"mixed\.tfrecord, {reason}"):
        list(dataset.epoch_batches(0))


def test_a_damaged_file_is_refused_when_it_is_opened(tmp_path):
    path = tmp_path / "damaged.tfrecord"
    write_tfrecord(path, [a_record()] * 3)
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageError, match=r"damaged\.tfrecord.*damaged"):
        open_dataset([path], 2, 5, batch_size=2)
