import json

from fleet.image.packages import read_packages
from fleet.image.packages.extracts import extract_for
from tests.image.packages.trees import only, tree_of

RECORD = {
    "name": "numpy",
    "version": "1.26.4",
    "build": "py312heda63a1_0",
    "depends": ["libblas >=3.9.0,<4.0a0", "python_abi 3.12.* *_cp312", "tzdata"],
    "files": ["lib/python3.12/site-packages/numpy/__init__.py", "bin/f2py", "gone"],
    "paths_data": {"paths": [{"_path": "bin/f2py", "sha256": "0" * 64}] * 500},
}


def test_conda_packages_have_the_files_of_their_environment():
    package = only(
        tree_of(
            {
                "opt/conda/conda-meta/numpy-1.26.4-py312heda63a1_0.json": json.dumps(RECORD),
                "opt/conda/conda-meta/history": "==> 2024-01-01",
                "opt/conda/lib/python3.12/site-packages/numpy/__init__.py": "12345",
                "opt/conda/bin/f2py": "1",
                "bin/f2py": "another's",
            }
        )
    )
    record = "opt/conda/conda-meta/numpy-1.26.4-py312heda63a1_0.json"
    assert (package.ecosystem, package.name, package.version) == ("conda", "numpy", "1.26.4")
    assert package.depends == ("libblas", "python_abi", "tzdata")
    assert package.paths == ("opt/conda/lib/python3.12/site-packages/numpy/__init__.py", "opt/conda/bin/f2py", record)


def test_of_a_record_only_what_is_read_is_kept():
    tree = tree_of({"conda-meta/numpy.json": json.dumps(RECORD)})
    kept = json.loads(tree.texts["conda-meta/numpy.json"])
    assert set(kept) == {"name", "version", "files", "depends"}


def test_bytes_of_what_conda_installed_from_pypi_count_once():
    site = "opt/conda/lib/python3.12/site-packages"
    record = {"name": "six", "version": "1.16.0", "files": ["lib/python3.12/site-packages/six.py"]}
    conda, pypi = read_packages(
        tree_of(
            {
                "opt/conda/conda-meta/six-1.16.0-py_0.json": json.dumps(record),
                f"{site}/six.py": "12345",
                f"{site}/six-1.16.0.dist-info/METADATA": "Name: six\nVersion: 1.16.0\n",
                f"{site}/six-1.16.0.dist-info/RECORD": "six.py,,\n",
            }
        )
    )
    assert (conda.ecosystem, pypi.ecosystem) == ("conda", "pypi")
    assert f"{site}/six.py" in pypi.paths
    assert pypi.unpacked_bytes == len("Name: six\nVersion: 1.16.0\n")


def test_records_that_are_none_are_left_alone():
    broken = {"a": "", "b": "[]", "c": "{", "d": '{"name": 1, "version": "1"}', "e": "[" * 100_000, "f": "\udcff"}
    good = {"conda-meta/good.json": '{"name": "good", "version": "1", "files": [1, null], "depends": "x"}'}
    tree = tree_of({f"conda-meta/{name}.json": text for name, text in broken.items()} | good)
    assert [(package.name, package.depends) for package in read_packages(tree)] == [("good", ())]


def test_records_are_told_by_their_directory_and_read_up_to_a_bound():
    assert extract_for("opt/conda/conda-meta/a.json", 8 << 20) is not None
    assert extract_for("opt/conda/conda-meta/a.json", (8 << 20) + 1) is None
    assert extract_for("opt/my-conda-meta/a.json", 10) is None
    assert extract_for("opt/conda/conda-meta/state/a.json", 10) is None
