"""Packages that are not installed."""

import h5py
import pytest

from panna.extras import MissingPackage, require
from panna.tools import ani_parser, qe_parser, vasp_parser


def test_the_message_names_package_purpose_and_command(without_package):
    require("numpy", "tools", "everything")
    without_package("numpy")
    with pytest.raises(MissingPackage) as error:
        require("numpy", "tools", "everything")
    assert str(error.value) == (
        "numpy is not installed, everything needs it; "
        "pip install '.[tools]' in the checkout of PANNA"
    )


@pytest.mark.parametrize(
    ("parser", "name", "root"),
    [(qe_parser, "data-file-schema.xml", "espresso"), (vasp_parser, "vasprun.xml", "modeling")],
)
def test_parsers_of_xml_say_that_lxml_is_missing(
    parser, name, root, without_package, tmp_path, capsys
):
    (tmp_path / name).write_text(f'<?xml version="1.0"?><{root}></{root}>')
    without_package("lxml")
    code = parser.main(["-i", str(tmp_path / name), "-o", str(tmp_path / "out")])
    err = capsys.readouterr().err
    assert code == 2 and "lxml is not installed, reading XML needs it" in err
    assert "Traceback" not in err and not list(tmp_path.glob("out/*.example"))


def test_parser_of_hdf5_says_that_h5py_is_missing(without_package, tmp_path, capsys):
    with h5py.File(tmp_path / "ani.h5", "w"):
        pass
    without_package("h5py")
    code = ani_parser.main(["-i", str(tmp_path / "ani.h5"), "-o", str(tmp_path / "out")])
    err = capsys.readouterr().err
    assert code == 2 and "h5py is not installed, reading HDF5 files needs it" in err
