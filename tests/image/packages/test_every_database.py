import json
import time

import pytest

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


def deep(name: str, depth: int) -> str:
    return "/".join([name] * depth)


HOSTILE = {
    "a directory of a megabyte for each of many files": {
        "lib/apk/db/installed": "P:a\nV:1\nF:" + "x" * 1_000_000 + "\n" + "R:a\n" * 500_000
    },
    "lists of what is not there": {
        "var/lib/dpkg/status": "Package: a\nStatus: install ok installed\n",
        "var/lib/dpkg/info/a.list": "/x/y\n" * 500_000,
    },
    "dependencies without end": {
        "var/lib/dpkg/status": "Package: a\nStatus: install ok installed\nDepends: " + "b|" * 900_000 + "\n"
    },
    "modules within modules": {
        "s/a.egg-info/PKG-INFO": "Name: a\n",
        "s/a.egg-info/top_level.txt": "\n".join(deep("m", depth) for depth in range(1, 350)),
    }
    | {f"s/{deep('m', 350)}/{number}.py": "" for number in range(3000)},
    "packages of Composer within packages": {
        "v/composer/installed.json": json.dumps(
            [{"name": f"a/{depth}", "version": "1", "install-path": deep("m", depth)} for depth in range(1, 350)]
        )
    }
    | {f"v/composer/{deep('m', 350)}/{number}.php": "" for number in range(3000)},
    "marks of packages that are not there": {
        "package-lock.json": '{"dependencies":'
        + '{"aaaaaaaaaa":{"dev":true,"dependencies":' * 300
        + "{}"
        + "}}" * 300
        + "}",
        "node_modules/a/package.json": '{"name": "a", "version": "1"}',
    },
    "names to look for at every level": {
        "package.json": json.dumps({"devDependencies": {"a": "*"}}),
        "node_modules/a/package.json": json.dumps({"name": "a", "version": "1", "dependencies": {"a": "*"}}),
    }
    | {
        f"{deep('node_modules/a', depth)}/package.json": json.dumps(
            {"name": "a", "version": "1", "dependencies": dict.fromkeys(("a", *map(str, range(5000))), "*")}
        )
        for depth in range(2, 280, 4)
    },
    "a record of one file over and over": {
        "conda-meta/a.json": json.dumps({"name": "a", "version": "1", "files": ["bin/a"] * 500_000}),
        "bin/a": "1",
    },
}


@pytest.mark.parametrize("files", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_databases_take_no_time(files):
    tree = tree_of(files)
    start = time.process_time()
    read_packages(tree)
    assert time.process_time() - start < 5
