from fleet.image.packages import read_packages
from tests.image.packages.trees import only, tree_of


def test_bytes_that_two_packages_list_count_for_the_first():
    tree = tree_of(
        {
            "var/lib/dpkg/status": "Package: python3-six\nStatus: install ok installed\nVersion: 1\n",
            "var/lib/dpkg/info/python3-six.list": "/usr/lib/python3/dist-packages/six.py\n",
            "usr/lib/python3/dist-packages/six.py": "123",
            "usr/lib/python3/dist-packages/six-1.egg-info/PKG-INFO": "Name: six\nVersion: 1\n",
        }
    )
    deb, pypi = read_packages(tree)
    assert (deb.unpacked_bytes, pypi.unpacked_bytes) == (3, len("Name: six\nVersion: 1\n"))
    assert "usr/lib/python3/dist-packages/six.py" in pypi.paths


def test_damaged_databases_yield_nothing_and_do_not_fail():
    tree = tree_of(
        {
            "var/lib/dpkg/status": "\udcff\n\n:\n:::\nPackage\n\nPackage: x\n",
            "lib/apk/db/installed": "\n\n::\nP\nP:\n",
            "x/a.dist-info/METADATA": "",
            "x/b.dist-info/METADATA": "Name: b\nVersion: 1",
            "x/b.dist-info/RECORD": '"' + "x" * 200_000,
            "node_modules/deep/package.json": "[" * 60_000,
            f"specifications/{'-1' * 100}.gemspec": "",
        }
    )
    assert [package.name for package in read_packages(tree) if package.ecosystem != "gem"] == ["b"]


def test_names_of_packages_are_printable_and_bounded():
    name = "b\x1b[31m" + "x" * 5000
    assert only(tree_of({"x/b.dist-info/METADATA": f"Name: {name}\nVersion: 1"})).name == "b[31m" + "x" * 249
