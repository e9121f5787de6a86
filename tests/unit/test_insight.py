"""Curves, histograms and numbers behind the pictures of the gvect tools."""

import sys
from pathlib import Path

import numpy as np
import pytest
from descriptor_cases import CELLS, DESCRIPTORS, bp, mbp, random_frame
from numpy.testing import assert_allclose

from panna.descriptors.reference import compute
from panna.errors import DescriptorError, FrameError
from panna.frames.neighbours import neighbour_list
from panna.insight import suggestion as rule
from panna.insight.curves import POINTS, curves, cutoff_function
from panna.insight.geometry import Angles, Distances, Geometry
from panna.insight.picture import check_picture
from panna.insight.resolution import gap_lines, resolution, warnings
from panna.insight.statistics import Moments

sys.path.append(str(Path(__file__).parents[1] / "tools"))
from tool_runs import crystal, water_molecule

# -- curves ----------------------------------------------------------------------------------------


def fc(r, rc):
    return 0.5 * (1 + np.cos(np.pi * r / rc))


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_curves_are_the_equations(name):
    """Against the equations of the paper, written here again; to the smoothing by eps."""
    p = DESCRIPTORS[name]
    found = curves(p)
    r, theta, mean = found.radial.x, found.angular.x, found.mean_radius.x
    if p.type == "mBP":
        radial = [np.exp(-e * (r - s) ** 2) for e, s in zip(p.eta_rad, p.rs_rad, strict=True)]
        around = [np.exp(-e * (mean - s) ** 2) for e, s in zip(p.eta_ang, p.rs_ang, strict=True)]
        turned = [((1 + np.cos(theta - t)) / 2) ** z for t, z in zip(p.thetas, p.zeta, strict=True)]
        power, tolerance = 2, 3 * max(p.eps, 1e-12) * max(p.zeta)
    else:
        radial = [np.exp(-e * (r - s) ** 2) for e in p.eta_rad for s in p.rs_rad]
        around = [np.exp(-3 * e * mean**2) for e in p.eta_ang]
        signs = [(z, sign) for z in p.zeta for sign in (1, -1)]
        turned = [((1 + sign * np.cos(theta)) / 2) ** z for z, sign in signs]
        power, tolerance = 3, 1e-5
    assert_allclose(found.radial.y, radial * fc(r, p.rc_rad), atol=1e-9)
    assert_allclose(found.mean_radius.y, around * fc(mean, p.rc_ang) ** power, atol=1e-5)
    assert_allclose(found.angular.y, turned, atol=tolerance)
    assert_allclose(found.angular.y.max(axis=1), 1.0, atol=1e-3)


def test_angular_curves_have_the_smoothing_of_the_descriptor():
    """With eps the function is smoothed: not the curve of eps = 0, and that of the reference."""
    sharp, smooth = curves(mbp(eps=0.0)).angular.y, curves(mbp(eps=1e-2)).angular.y
    assert 1e-3 < np.abs(sharp - smooth).max() < 0.1
    p = mbp(eps=1e-2)
    t = p.thetas[1]
    c, s = np.cos(curves(p).angular.x), 1e-2 * np.sin(t) ** 2
    base = (1 + c * np.cos(t) + np.sqrt(1 - c**2 + s) * np.sin(t)) / (1 + np.sqrt(1 + s))
    assert_allclose(smooth[1], base ** p.zeta[1], atol=1e-9)


def test_the_cutoff_function():
    x = np.array([0.001, 1.0, 2.5, 4.999])
    assert_allclose(cutoff_function(5.0, x), fc(x, 5.0), rtol=1e-9)
    assert_allclose(cutoff_function(5.0, np.array([5.0, 6.0])), 0.0)


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_curves_add_up_to_the_descriptor_of_a_frame(name):
    """Radial part: sum over the neighbours of the curves, read off at their distances."""
    p = DESCRIPTORS[name]
    frame = random_frame("slab", p.species)
    near = neighbour_list(frame, p.species, p.cutoff)
    g = compute(p, near)
    family = curves(p).radial
    count = len(family.y)
    r = np.linalg.norm(near.vectors, axis=1)
    for s in range(len(p.species)):
        mine = near.species[near.index] == s
        for f in range(count):
            value = np.interp(r, family.x, family.y[f], right=0.0) * mine
            total = np.bincount(near.centre, value, minlength=near.n_atoms)
            # linear interpolation between 1001 points
            assert_allclose(total, g[:, s * count + f], atol=5e-3)


def test_widths_are_where_the_functions_are_half():
    for p in (mbp(eps=0.0), mbp(eps=0.0, zeta=50.0)):
        for family in (curves(p).radial, curves(p).angular, curves(p).mean_radius):
            for y, centre, width in zip(family.uncut, family.centres, family.widths, strict=True):
                for side in (-0.5, 0.5):
                    at = centre + side * width
                    if family.x[0] < at < family.x[-1]:
                        half = np.interp(at, family.x, y) / y.max()
                        assert half == pytest.approx(0.5, abs=0.01)


# -- geometry --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
def test_histograms_are_those_of_all_neighbours(cell):
    """Against a plain double loop over the neighbours of each atom."""
    frame = random_frame(cell)
    species = ("Si", "O", "H")
    seen = Geometry.within(species, 4.5, 3.0, 0)
    seen.add(frame)
    distances, angles = seen.distances, seen.angles
    near = neighbour_list(frame, species, 4.5)
    expected = np.zeros_like(angles.angles)
    radii = np.zeros_like(angles.radii)
    counts = np.zeros_like(distances.counts)
    symbols = near.species[near.index]
    r = np.linalg.norm(near.vectors, axis=1)
    for i in range(frame.n_atoms):
        mine = range(near.first[i], near.first[i + 1])
        for j in mine:
            place = int(r[j] / (distances.edges[1] - distances.edges[0]))
            counts[near.species[i], symbols[j], place] += 1
            for k in mine:
                if k <= j or r[j] >= 3.0 or r[k] >= 3.0:
                    continue
                a, b = sorted((symbols[j], symbols[k]))
                weight = fc(r[j], 3.0) * fc(r[k], 3.0)
                c = near.vectors[j] @ near.vectors[k] / (r[j] * r[k])
                place = int(np.arccos(np.clip(c, -1, 1)) / angles.angle_edges[1])
                expected[near.species[i], a, b, min(place, expected.shape[-1] - 1)] += weight
                place = int(0.5 * (r[j] + r[k]) / angles.radius_edges[1])
                radii[near.species[i], a, b, place] += weight
    assert_allclose(distances.counts, counts)
    assert_allclose(angles.angles, expected, atol=1e-9)
    assert_allclose(angles.radii, radii, atol=1e-9)
    assert distances.shortest == pytest.approx(r.min())
    assert distances.of_pair("Si", "O").counts.sum() == distances.of_pair("O", "Si").counts.sum()


def test_one_angle_of_water():
    seen = Geometry.within(("H", "O"), 3.0, 2.0, 0)
    seen.add(water_molecule(0, shake=1e-9))
    found = seen.angles.angles_of("O", "H", "H")
    at = np.flatnonzero(found.counts)
    assert len(at) == 1
    assert np.degrees(found.edges[at[0]]) <= 104.5 <= np.degrees(found.edges[at[0] + 1])
    assert found.counts[at[0]] == pytest.approx(fc(0.96, 2.0) ** 2, rel=1e-4)
    assert seen.angles.shortest_mean == pytest.approx(0.96, abs=1e-6)
    assert_allclose(seen.distances.of_pair("O", "H").counts.sum(), 2)


def test_a_strange_species_or_a_coincidence_changes_nothing():
    seen = Geometry.within(("Cu",), 4.0, 4.0, 0)
    with pytest.raises(FrameError, match="contains H, O"):
        seen.add(water_molecule(0))
    assert seen.distances.frames == 0 and not seen.distances.counts.any()


def test_large_frames_give_angles_of_some_centres():
    """The same shares, up to the noise of a sample, and the same ones for the same seed."""
    frame = crystal("fcc", 3.6, repeat=7, shake=0.05)  # 1372 atoms
    found = []
    for seed in (0, 0, 1):
        angles = Angles(("Cu",), 3.0, seed)
        angles.add(frame)
        found.append(angles.angles[0, 0, 0])
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])
    assert_allclose(found[0] / found[0].sum(), found[2] / found[2].sum(), atol=0.01)


# -- resolution ------------------------------------------------------------------------------------


def gaussians(count=8, eta=4.0, first=0.5, rc=4.5, **changes):
    return mbp(
        species=("Cu",), rc_rad=rc,
        rs_rad=tuple(first + m * (rc - first) / count for m in range(count)),
        eta_rad=(eta,) * count, **changes,
    )  # fmt: skip


def test_overlaps_and_ratios_are_those_of_gaussians():
    radial, angular, _ = resolution(curves(gaussians(count=8, eta=9.0)))
    assert_allclose(radial.spacings, 0.5)
    # whole Gaussians in the middle of the range
    assert_allclose(radial.overlaps[1:-1], np.exp(-9.0 * 0.5**2 / 2), atol=2e-3)
    assert_allclose(radial.ratio, 0.5 / (2 * np.sqrt(np.log(2) / 9.0)))
    assert_allclose(angular.spacings, 36.0)
    assert angular.unit == "degrees" and not angular.gaps


def test_gaps_are_found_where_they_are():
    (radial, *_) = resolution(curves(gaussians(count=4, eta=60.0)))
    # centres 0.5, 1.5, 2.5, 3.5, each covers x with exp(-60 x^2) > 0.1
    reach = np.sqrt(np.log(10) / 60)
    edges = np.array([0.001, *(c + s for c in (0.5, 1.5, 2.5, 3.5) for s in (-reach, reach)), 4.5])
    assert_allclose(np.ravel(radial.gaps), edges, atol=0.01)
    assert "radial: not covered 0.00 to 0.30 angstrom" in gap_lines([radial])[0]


WARNED = {
    "good": (dict(count=8, eta=4.0), []),
    "too wide": (dict(count=16, eta=0.5), ["15 pairs of neighbouring functions overlap by more"]),
    "too sharp": (dict(count=4, eta=60.0), ["3 pairs of neighbouring functions overlap by less"]),
    "too sharp angles": (dict(zeta=500.0), ["angular: 4 pairs of neighbouring functions overlap"]),
}


@pytest.mark.parametrize("case", WARNED)
def test_warnings_in_words(case):
    changes, expected = WARNED[case]
    found = warnings(curves(gaussians(**changes)))
    assert len(found) == len(expected)
    assert all(text in line for text, line in zip(expected, found, strict=True))


def test_warnings_about_data():
    """fcc of 3.6 angstrom: distances 2.55, 3.6, 4.41."""
    frame = crystal("fcc", 3.6)

    def found(**changes):
        p = gaussians(**changes)
        seen = Geometry.within(p.species, p.rc_rad, p.rc_ang, 0)
        seen.add(frame)
        return "\n".join(warnings(curves(p), seen))

    assert "radial: 2 functions of 8 see nothing of the data (centres 0.5, 1 angstrom)" in found()
    # Centres 0.5, 1.5, 2.5 and 3.5 with 60: 4.41 (24 of 42 neighbours) is in a gap.
    assert "radial: 57.1 % of the distances of the data lie where no" in found(count=4, eta=60.0)
    assert "no two atoms of the data are within Rc_rad = 2 angstrom" in found(rc=2.0)
    assert "no atom of the data has two neighbours within 2 angstrom" in found(
        rc_ang=2.0, rs_ang=(0.5, 1.0, 1.5)
    )


def test_a_species_without_atoms_is_named():
    p = mbp(species=("Cu", "Ag"))
    seen = Geometry.within(p.species, p.rc_rad, p.rc_ang, 0)
    seen.add(crystal("fcc", 3.6))
    assert any("Ag is among the species, but no atom" in w for w in warnings(curves(p), seen))


@pytest.mark.parametrize("p", [bp(), bp(rs_rad=(0.0,), eta_rad=(0.01, 0.1, 1.0), zeta=(1.0,))])
def test_numbers_of_bp(p):
    found = resolution(curves(p))
    assert [len(one.widths) for one in found] == [
        len(p.eta_rad) * len(p.rs_rad), 2 * len(p.zeta), len(p.eta_ang),
    ]  # fmt: skip
    for one in found:
        assert ((one.overlaps >= 0) & (one.overlaps <= 1 + 1e-12)).all()
    seen = Geometry.within(p.species, p.rc_rad, p.rc_ang, 0)
    seen.add(random_frame("triclinic crystal"))
    assert "nan" not in "\n".join([*warnings(curves(p), seen), *gap_lines(found)])


def test_idle_functions_of_bp_have_numbers():
    """Their centres are all the same; exp(-3 20 r^2) is over before the first neighbour."""
    p = bp(species=("Cu",), rs_rad=(0.0,), eta_rad=(0.1, 20.0), eta_ang=(0.1, 20.0))
    seen = Geometry.within(p.species, p.rc_rad, p.rc_ang, 0)
    seen.add(crystal("fcc", 3.6))
    found = warnings(curves(p), seen)
    for name in ("radial", "mean radius"):
        assert f"{name}: 1 function of 2 see nothing of the data (number 2)" in found


def test_curves_have_no_holes():
    for p in DESCRIPTORS.values():
        found = curves(p)
        for family in (found.radial, found.angular, found.mean_radius):
            assert family.y.shape[1] == len(family.x) == POINTS
            assert np.isfinite(family.y).all() and np.isfinite(family.uncut).all()


# -- suggestion ------------------------------------------------------------------------------------


def distances_of(*frames, radius=rule.SEARCH_RADIUS):
    found = Distances(tuple(sorted({s for f in frames for s in f.species})), radius)
    for frame in frames:
        found.add(frame)
    return found


# lattice constant; the shells between which the cutoff must be, and their number of neighbours
SHELLS = {
    "fcc": (3.6, 3.6 * np.sqrt(1.5), 3.6 * np.sqrt(2), 42),
    "bcc": (3.2, 3.2 * np.sqrt(2), 3.2 * np.sqrt(11) / 2, 26),
    "diamond": (5.43, 5.43 * np.sqrt(11) / 4, 5.43, 28),
}


@pytest.mark.parametrize("shake", [0.0, 0.08])
@pytest.mark.parametrize("kind", SHELLS)
def test_the_cutoff_is_behind_the_third_shell(kind, shake):
    a, low, high, neighbours = SHELLS[kind]
    repeat = 4 if kind != "diamond" else 2
    frames = [crystal(kind, a, repeat, shake=shake, seed=seed) for seed in range(3)]
    found = rule.radial_cutoff(distances_of(*frames), None)
    assert low + 0.1 < found.value < high - 0.1
    # shaken atoms of the next shell may come in
    assert f"{neighbours} neighbours" in found.reason or shake


def test_the_cutoff_of_a_molecule_is_its_size():
    found = rule.radial_cutoff(distances_of(*map(water_molecule, range(20))), None)
    assert 1.2 * 1.52 <= found.value <= 1.2 * 1.65 + 0.1
    assert "99 %" in found.reason


def test_a_molecule_in_a_periodic_box_is_a_molecule():
    from dataclasses import replace

    box = dict(cell=20.0 * np.eye(3), pbc=np.ones(3, bool))
    inside = [replace(water_molecule(k), **box) for k in range(20)]
    alone = [water_molecule(k) for k in range(20)]
    expected = rule.radial_cutoff(distances_of(*alone), None)
    assert rule.radial_cutoff(distances_of(*inside), None) == expected


def test_a_gas_without_shells_has_a_cutoff_too():
    frame = crystal("fcc", 3.6, repeat=4)
    positions = np.random.default_rng(0).random((256, 3)) * 14.4
    from dataclasses import replace

    found = rule.radial_cutoff(distances_of(replace(frame, positions=positions)), None)
    # a random minimum is possible, hardly far away; 24 neighbours are at 4.07
    assert 4.0 <= found.value < 8


def test_the_angular_cutoff_limits_the_angles():
    dense = distances_of(crystal("fcc", 2.6, repeat=4))
    angular = rule.angular_cutoff(dense, 6.0)
    assert angular.value < 6.0
    within = dense.neighbours_within()
    assert np.interp(angular.value, dense.edges[1:], within) <= rule.MOST_NEIGHBOURS
    assert rule.angular_cutoff(dense, 2.0).value == 2.0


def test_functions_of_a_suggestion_overlap_as_stated():
    for size in rule.SIZES:
        seen = distances_of(crystal("fcc", 3.6, repeat=4))
        rc = rule.radial_cutoff(seen, None)
        found = rule.suggestion(seen, 2.55, rc, rc, size)
        from panna.descriptors.configured import parameters_from

        p = parameters_from(rule.read_back(found.ini({})))
        assert p.species == ("Cu",) and min(p.rs_rad) == 2.4
        for one in resolution(curves(p)):
            middle = one.overlaps[len(one.overlaps) // 2]
            # zeta is rounded, and its function not quite a Gaussian; Gaussians end at 0 and Rc
            assert middle == pytest.approx(rule.OVERLAP, abs=0.04), one.name
        assert warnings(curves(p)) == []


def test_without_neighbours_or_room_there_is_no_suggestion():
    lonely = distances_of(crystal("bcc", 12.0, repeat=1))
    with pytest.raises(DescriptorError, match="no two atoms are within 8 angstrom"):
        rule.radial_cutoff(lonely, None)
    seen = distances_of(crystal("fcc", 3.6))
    short = rule.Choice(2.5, "as given")
    with pytest.raises(DescriptorError, match="Rc_rad = 2.5 angstrom .as given. found, expected"):
        rule.suggestion(seen, 2.55, short, short, "small")


def test_shorter_distances_are_those_of_a_shorter_search():
    frame = crystal("fcc", 3.6, shake=0.1)
    cut, direct = distances_of(frame).up_to(4.0), distances_of(frame, radius=4.0)
    assert_allclose(cut.counts, direct.counts)
    assert_allclose(cut.edges, direct.edges)


# -- statistics ------------------------------------------------------------------------------------


def test_moments_in_pieces_are_those_of_all():
    rng = np.random.default_rng(0)
    values = (1e3 + rng.random((1000, 3))).astype(np.float32)
    moments = Moments(3)
    for part in np.array_split(values, [1, 2, 5, 500, 500, 999]):
        moments.add(part)
    exact = values.astype(float)
    assert moments.count == 1000
    assert_allclose(moments.mean, exact.mean(axis=0), rtol=1e-13)
    assert_allclose(moments.std, exact.std(axis=0), rtol=1e-10)
    assert_allclose(moments.low, exact.min(axis=0))
    assert_allclose(moments.high, exact.max(axis=0))


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.png.gz", "no/a.png", "."])
def test_names_of_pictures(tmp_path, name):
    from panna.errors import FileError

    with pytest.raises(FileError, match="expected one of these|there is no folder"):
        check_picture(tmp_path / name)
