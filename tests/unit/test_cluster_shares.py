"""Who reads which frames when several processes train: every frame once, in a fixed order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from training_cases import ONE_SPECIES, records, write_data

from panna.storage.dataset import open_dataset
from panna.storage.record_index import RecordIndex, list_tfrecords
from panna.training.cluster.all_reduce import Share
from panna.training.cluster.servers import Dealt

FRAMES, BATCH = 11, 4


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    data = write_data(folder / "data", records(ONE_SPECIES, FRAMES))
    g_size = ONE_SPECIES.size
    return open_dataset(list_tfrecords(data), 1, g_size, batch_size=BATCH, seed=5)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("epoch", [0, 1])
def test_processes_in_step_share_every_batch(dataset, count, epoch):
    """With five processes some get nothing of the last batch, which has three frames."""
    shares = [replace(dataset, source=Share(dataset.source, i, count)) for i in range(count)]
    whole = list(dataset.epoch_batches(epoch))
    parts = zip(*(one.epoch_batches(epoch) for one in shares), strict=True)
    for batch, those in zip(whole, parts, strict=True):
        energies = np.concatenate([part["energy"] for part in those if "energy" in part])
        np.testing.assert_array_equal(np.sort(energies), np.sort(batch["energy"]))
        sizes = [len(part.get("energy", ())) for part in those]
        assert max(sizes) - min(sizes) <= 1
        for part in those:
            assert dataset.names(part["records"]) == list(batch["name"])


def test_the_chief_deals_every_frame_once_in_the_order_of_one_process(dataset):
    dealt = replace(dataset, source=Dealt(dataset.source))
    for epoch in range(3):
        batches = [batch["records"] for batch in dealt.epoch_batches(epoch)]
        np.testing.assert_array_equal(np.concatenate(batches), dataset.order(epoch))
        assert [len(one) for one in batches] == [4, 4, 3]
    assert not np.array_equal(dataset.order(0), dataset.order(1))


def test_the_digest_sees_every_change_of_the_content(tmp_path):
    frames = records(ONE_SPECIES, 4)

    def digest(name: str, some) -> str:
        return RecordIndex.of(list_tfrecords(write_data(tmp_path / name, some))).digest()

    same = digest("one", frames)
    assert digest("copy", frames) == same
    assert digest("order", frames[::-1]) != same
    assert digest("fewer", frames[:3]) != same
    energy = np.nextafter(frames[1].energy, 0.0)
    assert digest("energy", [frames[0], replace(frames[1], energy=energy), *frames[2:]]) != same
