"""Ini files of gvect_calculator: which descriptor they describe, and what is refused."""

from __future__ import annotations

import math

import pytest
from calculator_cases import P0, gvect_ini
from descriptor_cases import bp

from panna.config.gvect import FLAVOURS, GVECT, pbc_from
from panna.config.reader import read_config
from panna.descriptors.configured import FLAVOURS as KNOWN_FLAVOURS
from panna.descriptors.configured import MOST_CENTRES, parameters_from
from panna.errors import ConfigError, DescriptorError
from panna.frames.units import BOHR
from panna.potential.panna_in_descriptor import fits_gversion_0

BP_KEYS = {"eta_rad": "0.5, 1", "Rc_rad": 4.6, "RsN_rad": 2, "zeta": "1, 4"}


@pytest.fixture
def configure(tmp_path):
    """The configuration with P0, some keys of [GVECT_PARAMETERS] changed (None removes one)."""

    def read(keys=None, parameters=P0, **changes):
        path = gvect_ini(tmp_path, parameters={**parameters, **(keys or {})}, **changes)
        return read_config(path, GVECT)

    return read


@pytest.fixture
def parameters(configure):
    return lambda *args, **changes: parameters_from(configure(*args, **changes))


@pytest.fixture
def message(configure):
    """The error of a configuration."""

    def read(*args, **changes) -> str:
        with pytest.raises(ConfigError) as caught:
            parameters_from(configure(*args, **changes))
        return str(caught.value)

    return read


def test_mbp_of_one_value_each(parameters):
    found = parameters()
    assert found.type == "mBP" and found.species == ("H", "O")
    assert found.rs_rad == pytest.approx([0.5 + m * 4.1 / 16 for m in range(16)], abs=1e-15)
    assert found.rs_ang == pytest.approx([0.5 + m * 2.6 / 4 for m in range(4)], abs=1e-15)
    assert found.thetas == pytest.approx([(m + 0.5) * math.pi / 8 for m in range(8)], abs=1e-15)
    assert (set(found.eta_rad), set(found.eta_ang), set(found.zeta)) == ({16}, {16}, {50})
    assert (found.rc_rad, found.rc_ang) == (4.6, 3.1)
    assert found.size == 2 * 16 + 3 * 32


@pytest.mark.parametrize(
    ("flavour", "eps", "first_angle", "like_pairs"),
    [
        (None, 1e-2, math.pi / 16, "once"),
        ("default", 1e-2, math.pi / 16, "once"),
        ("v0", 0.0, 0.0, "twice"),
        ("v1a", 0.0, math.pi / 16, "once"),
        ("V1B", 1e-2, math.pi / 16, "once"),
        ("v2", 1e-3, math.pi / 16, "once"),
    ],
)
def test_flavours(parameters, flavour, eps, first_angle, like_pairs):
    found = parameters(flavour=flavour)
    assert (found.eps, found.thetas[0], found.like_pairs) == (eps, first_angle, like_pairs)
    assert found.thetas[1] - found.thetas[0] == pytest.approx(math.pi / 8, abs=1e-15)


def test_the_schema_and_the_table_name_the_same_flavours():
    assert tuple(KNOWN_FLAVOURS) == FLAVOURS


def test_eps_may_differ_from_the_flavour(parameters, message):
    assert parameters(flavour="v2", eps=0.02).eps == 0.02
    assert parameters(eps=0).eps == 0
    assert "eps = 1.5: expected a number from 0 to 1" in message(eps=1.5)


def test_the_number_of_centres_never_depends_on_rounding(parameters):
    # These give one centre or angle too many where centres come from a floating range.
    found = parameters({"Rs0_rad": 0.8, "RsN_rad": 15, "ThetasN": 61})
    assert (len(found.rs_rad), len(found.thetas)) == (15, 61)
    assert max(found.rs_rad) < 4.6


@pytest.mark.parametrize("unit", ["angstrom", "bohr"])
@pytest.mark.parametrize("keys", [{}, {"Rs0_rad": 0.8, "RsN_rad": 15}, {"RsN_ang": 7, "zeta": 8.5}])
def test_what_the_ini_says_can_be_exported_exactly_for_published_drivers(parameters, unit, keys):
    assert fits_gversion_0(parameters(keys | {"gvect_parameters_unit": unit}))


@pytest.mark.parametrize("unit", ["bohr", "au", "bohr_radius", "BOHR"])
def test_all_lengths_and_eta_follow_the_unit(parameters, unit):
    keys = {"Rsst_rad": 0.25, "Rs_ang_list": "0.5, 1.5", "RsN_ang": None, "Rs0_ang": None}
    plain, found = parameters(keys), parameters(keys | {"gvect_parameters_unit": unit})
    for name in ("rc_rad", "rc_ang"):
        assert getattr(found, name) == pytest.approx(getattr(plain, name) * BOHR, rel=1e-15)
    for name in ("rs_rad", "rs_ang"):
        expected = [value * BOHR for value in getattr(plain, name)]
        assert getattr(found, name) == pytest.approx(expected, rel=1e-15)
    for name in ("eta_rad", "eta_ang"):
        expected = [value / BOHR**2 for value in getattr(plain, name)]
        assert getattr(found, name) == pytest.approx(expected, rel=1e-15)
    assert (found.thetas, found.zeta) == (plain.thetas, plain.zeta)


def test_a_step_in_bohr_is_announced(configure):
    config = configure({"Rsst_rad": 0.25, "gvect_parameters_unit": "bohr"})
    parameters_from(config)
    parameters_from(config)
    assert len(config.notices) == 1 and "PANNA v1 took it in angstrom" in config.notices[0]


def test_the_unit_angstrom_has_synonyms(parameters):
    hashes = {parameters({"gvect_parameters_unit": u}).hash for u in ("a", "A", "ANGSTROM", None)}
    assert len(hashes) == 1


def test_explicit_steps(parameters, message):
    assert parameters({"Rsst_rad": 0.25}).rs_rad == tuple(0.5 + m * 0.25 for m in range(16))
    text = message({"Rsst_rad": 0.3})
    assert "Rsst_rad = 0.3: the last of 16 centres is at 5 angstrom" in text
    assert "below Rc_rad = 4.6 angstrom" in text


def test_explicit_lists(parameters):
    found = parameters(
        {
            "Rs0_rad": None, "RsN_rad": 3, "Rs_rad_list": "1, 2, 3.5", "eta_rad": "4, 5, 6",
            "Rs0_ang": None, "RsN_ang": None, "Rs_ang_list": "0.5, 1.5", "eta_ang": "1, 2",
            "ThetasN": None, "Thetas_list": "0, 90, 180", "zeta": "4, 8, 8.5",
        }
    )  # fmt: skip
    assert found.rs_rad == (1, 2, 3.5) and found.eta_rad == (4, 5, 6)
    assert found.rs_ang == (0.5, 1.5) and found.eta_ang == (1, 2)
    assert found.thetas == (0, math.pi / 2, math.pi) and found.zeta == (4, 8, 8.5)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"eta_rad": "4, 5"}, "eta_rad = 4, 5: 2 values found; expected one value, or 16"),
        ({"eta_ang": "4, 5"}, "eta_ang = 4, 5: 2 values found; expected one value, or 4"),
        ({"zeta": "4, 5"}, "zeta = 4, 5: 2 values found; expected one value, or 8, one for each"),
        ({"Rs_rad_list": "1, 2"}, "RsN_rad = 16: Rs_rad_list has 2 values"),
        ({"Rs_rad_list": "1, 2", "RsN_rad": None}, "Rs0_rad = 0.5: Rs_rad_list gives the centres"),
        ({"Thetas_list": "10, 20"}, "ThetasN = 8: Thetas_list has 2 values"),
        (
            {"Rs_rad_list": "1, 4.6", "RsN_rad": None, "Rs0_rad": None},
            "Rs_rad_list = 1, 4.6: a centre is at 4.6 angstrom; expected it below Rc_rad = 4.6",
        ),
        ({"Rs0_ang": 3.2}, "Rs0_ang = 3.2: a centre is at 3.2 angstrom; expected it below Rc_ang"),
        ({"Thetas_list": "10, 200", "ThetasN": None}, "200 found; expected degrees from 0 to 180"),
        ({"Thetas_list": "0.4, 1.2, 2.7", "ThetasN": None}, "were radians meant?"),
        ({"RsN_rad": 10**9}, f"RsN_rad = 1000000000: expected at most {MOST_CENTRES}"),
        ({"ThetasN": 10**9}, f"ThetasN = 1000000000: expected at most {MOST_CENTRES}"),
    ],
)
def test_inconsistent_keys_are_refused(message, keys, expected):
    text = message(keys)
    assert "gvect.ini [GVECT_PARAMETERS] " in text and expected in text


def test_all_missing_keys_are_named_at_once(message):
    text = message({"eta_ang": None, "Rc_ang": None, "ThetasN": None})
    for key in ("eta_ang", "Rc_ang", "ThetasN"):
        assert f"[GVECT_PARAMETERS] {key}: missing; expected" in text
    assert "or Thetas_list" in text
    assert len(text.splitlines()) == 3


def test_radial_centres_begin_at_zero_where_the_first_is_not_given(parameters):
    assert parameters({"Rs0_rad": None}).rs_rad[0] == 0


def test_bp(parameters):
    found = parameters(parameters=BP_KEYS, type="bp")
    assert found.type == "BP"
    assert found.rs_rad == (0, 2.3) and found.eta_rad == found.eta_ang == (0.5, 1)
    assert found.rc_ang == found.rc_rad == 4.6
    assert found.zeta == (1, 4) and found.rjk_cutoff == "smooth"
    assert found.size == 2 * 4 + 3 * 8


def test_bp_of_all_keys_in_bohr(parameters):
    more = {"eta_ang": 0.2, "Rc_ang": 6, "Rs_rad_list": "0, 1", "rjk_cutoff": "published"}
    keys = {**BP_KEYS, **more, "RsN_rad": None, "gvect_parameters_unit": "bohr"}
    found = parameters(parameters=keys, type="BP")
    assert found.eta_ang == (0.2 / BOHR**2,)
    assert found.rc_ang == 6 * BOHR and found.rs_rad == (0, BOHR)
    assert found.rjk_cutoff == "published"


def test_keys_of_the_other_type_are_refused(message):
    text = message(parameters={**BP_KEYS, "ThetasN": 8, "Rsst_rad": 0.1}, type="BP", flavour="v1b")
    assert "[GVECT_PARAMETERS] ThetasN = 8: a key of mBP, but type = BP" in text
    assert "Rsst_rad = 0.1: a key of mBP" in text
    assert "flavour = v1b: a key of mBP, but type = BP; for the BP of PANNA v1 and v2 set" in text
    assert "rjk_cutoff = smooth: a key of BP, but type = mBP" in message({"rjk_cutoff": "smooth"})


@pytest.mark.parametrize(
    ("species", "expected"),
    [
        ("H, o", "'o' is not the symbol of a chemical element. Did you mean O?"),
        ("Sii", "'Sii' is not the symbol of a chemical element. Did you mean Si?"),
        ("H, O, H", "expected different values, H is repeated"),
        ("", "expected"),
    ],
)
def test_wrong_species(message, species, expected):
    assert expected in message(species=species)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"type": "WmBP"}, "the WmBP descriptor of PANNA v2 is not supported; use mBP or BP"),
        ({"type": "LATTE"}, "LATTE descriptor"),
        ({"type": "mPB"}, "expected mBP or BP. Did you mean mBP?"),
        ({"flavour": "v3"}, "expected default, v0, v1a, v1b or v2"),
        ({"type": None}, "[SYMMETRY_FUNCTION] type: missing"),
        ({"MISC": {"long_range": True}}, "long-range electrostatics is not supported yet"),
        ({"LONG_RANGE": {"long_range_el": True}}, "long-range electrostatics"),
        ({"PBC": {"pbc1": True}}, "[PBC]: pbc2, pbc3 missing"),
        ({"PBC": {}}, "[PBC]: pbc1, pbc2, pbc3 missing"),
        ({"PBC": {"use_pbc": "True, True"}}, "expected 3 values separated by commas"),
        ({"PBC": {"use_pbc": "1, 1, 1", "pbc2": "0"}}, "use_pbc gives all directions already"),
        ({"PBC": {"pcb1": True}}, "unknown key. Did you mean pbc1?"),
        ({"PARALLELIZATION": {"number_of_process": 0}}, "expected an integer above 0"),
        ({"GVECT_PARAMETERS": None}, "[GVECT_PARAMETERS]: the section is missing"),
    ],
)
def test_wrong_sections(message, changes, expected):
    assert expected in message(**changes)


def test_wrong_unit_and_unknown_key_are_named_together(message):
    text = message({"gvect_parameters_unit": "nm", "Rc_radd": 3})
    assert "gvect_parameters_unit = nm: expected angstrom or bohr" in text
    assert "Rc_radd = 3: unknown key. Did you mean Rc_rad?" in text


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (None, None),
        ({"pbc1": "yes", "pbc2": "no", "pbc3": 1}, (True, False, True)),
        ({"use_pbc": "no, no, no"}, (False, False, False)),
    ],
)
def test_periodicity(configure, section, expected):
    assert pbc_from(configure(PBC=section)) == expected


def test_keys_without_effect_are_noticed(configure):
    config = configure(sparse_derivatives=True, LONG_RANGE={"kmax": 3})
    assert len(config.notices) == 2
    assert any("no effect without include_derivatives" in notice for notice in config.notices)


def test_powers_with_infinite_slopes_are_refused():
    """BP's angular function reaches 0 for neighbours on one line."""
    bp(("Si",), zeta=(1.0,))
    with pytest.raises(DescriptorError, match=r"zeta = 0.5 found, 1 or more expected"):
        bp(("Si",), zeta=(2.0, 0.5))
