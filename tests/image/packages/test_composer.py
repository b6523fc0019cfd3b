import json

import pytest

from fleet.image.packages import read_packages
from tests.image.packages.trees import by_name, only, tree_of

MONOLOG = {"name": "monolog/monolog", "version": "3.5.0", "require": {"php": ">=8.1", "ext-json": "*", "psr/log": "^2"}}


@pytest.mark.parametrize(
    "installed",
    [
        [MONOLOG],
        {"packages": [MONOLOG | {"install-path": "../monolog/monolog"}], "dev": True, "dev-package-names": []},
    ],
    ids=["version 1", "version 2"],
)
def test_packages_own_their_directory_below_vendor(installed):
    files = {"app/vendor/monolog/monolog/src/Logger.php": "12345", "app/vendor/monolog/monolog/composer.json": "{}"}
    tree = tree_of({"app/vendor/composer/installed.json": json.dumps(installed), "app/src/a.php": "1"} | files)
    package = only(tree)
    assert (package.ecosystem, package.name, package.version) == ("composer", "monolog/monolog", "3.5.0")
    assert (set(package.paths), package.unpacked_bytes) == (set(files), 7)
    assert (package.depends, package.development) == (("psr/log",), False)


def test_packages_for_development_are_marked():
    packages = [{"name": name, "version": "1", "install-path": f"../{name}"} for name in ("a/run", "a/test")]
    installed = {"packages": packages, "dev": True, "dev-package-names": ["a/test"]}
    found = by_name(tree_of({"vendor/composer/installed.json": json.dumps(installed)}))
    assert {name: package.development for name, package in found.items()} == {"a/run": False, "a/test": True}


def test_a_package_within_another_has_its_own_files_and_links_are_followed():
    installed = {
        "packages": [
            {"name": "a/core", "version": "1", "install-path": "../../web/core"},
            {"name": "a/module", "version": "1", "install-path": "../../web/core/modules/m"},
            {"name": "a/local", "version": "1", "install-path": "../a/local"},
            {"name": "a/meta", "version": "1", "install-path": None},
        ]
    }
    tree = tree_of(
        {
            "vendor/composer/installed.json": json.dumps(installed),
            "web/core/index.php": "1",
            "web/core/modules/m/m.php": "1",
            "vendor/a/local": "-> ../../local",
            "local/l.php": "1",
        }
    )
    assert {name: package.paths for name, package in by_name(tree).items()} == {
        "a/core": ("web/core/index.php",),
        "a/module": ("web/core/modules/m/m.php",),
        "a/local": ("local/l.php",),
        "a/meta": (),
    }


@pytest.mark.parametrize("place", ["../..", "../../../../..", "/", "", "./"])
def test_no_package_claims_the_project_or_the_system(place):
    installed = {"packages": [{"name": "a/b", "version": "1", "install-path": place}]}
    tree = tree_of({"srv/app/vendor/composer/installed.json": json.dumps(installed), "srv/app/a.php": "", "etc/x": ""})
    assert only(tree).paths == ()


def test_lists_of_another_shape_yield_what_is_in_them():
    texts = ("3", "{", "[" * 100_000, '{"packages": {"a": 1}}', '[1, {"name": "a/b"}, {"name": "c/d", "version": 2}]')
    files = {f"{number}/vendor/composer/installed.json": text for number, text in enumerate(texts)}
    assert read_packages(tree_of(files)) == ()
    assert read_packages(tree_of({"app/installed.json": json.dumps([MONOLOG])})) == ()
