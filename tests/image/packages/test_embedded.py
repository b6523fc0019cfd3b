"""Libraries inside of files as packages: whose they are, where they lie, and that no byte of a file counts twice."""

from __future__ import annotations

import zipfile

from fleet.image.entries import Component, LayerIndex
from fleet.image.filetree import apply_layers
from fleet.image.packages import read_packages
from fleet.image.packages.package import Package
from tests.image.archives import hardlink, layer, member
from tests.image.programs import Part, elf_of
from tests.image.test_go_build_info import in_place
from tests.image.test_zip_stream import zipped


def packages_of(*layers: LayerIndex) -> tuple[Package, ...]:
    return read_packages(apply_layers(layers))


def weights(*layers: LayerIndex) -> dict[str, int]:
    return {package.name: package.unpacked_bytes for package in packages_of(*layers)}


PROGRAM = elf_of(Part(".go.buildinfo", in_place(), 3))
LIBRARY = zipped({f"C{number}.class": bytes(range(200)) for number in range(30)}, method=zipfile.ZIP_STORED)
SHADED = {"META-INF/maven/g/tiny/pom.properties": b"groupId=g\nartifactId=tiny\nversion=1\n"}


def test_modules_of_a_program_are_packages_of_its_layer_and_the_main_one_has_its_bytes():
    found = packages_of(layer(member("etc/x", b"")), layer(member("app/ship", PROGRAM, mode=0o755)))
    assert found[0] == Package("go", "example.com/ship", "(devel)", len(PROGRAM), 1, ("app/ship",))
    assert [(each.name, each.unpacked_bytes, each.layer) for each in found[1:]] == [
        ("example.com/rope", 0, 1),
        ("example.com/fork", 0, 1),
        ("example.com/hull", 0, 1),
        ("stdlib", 0, 1),
    ]


def test_programs_that_are_hidden_or_linked_again_name_nothing_more():
    first = layer(member("ship", PROGRAM, mode=0o755), hardlink("same", "ship"))
    assert len(packages_of(first)) == 5
    assert packages_of(first, layer(member("ship", b"new"), member("same", b"new"))) == ()
    (package, *_) = packages_of(first, layer(member("ship", b"new")))
    assert (package.paths, package.unpacked_bytes) == (("same",), len(PROGRAM))


def test_archives_within_an_archive_have_their_own_bytes_and_the_rest_is_the_outer_ones():
    war = zipped({"WEB-INF/lib/inner-1.jar": LIBRARY, "notes": b"n" * 500}, method=zipfile.ZIP_STORED)
    ear = zipped({"shop-2.war": war, "lib/other-3.jar": LIBRARY, **SHADED}, method=zipfile.ZIP_STORED)
    found = weights(layer(member("app/big-1.ear", ear)))
    assert found == {
        "inner": len(LIBRARY),
        "other": len(LIBRARY),
        "shop": len(war) - len(LIBRARY),
        "big": len(ear) - len(war) - len(LIBRARY),
        "g:tiny": 0,
    }


def test_what_a_system_package_lists_is_not_weighed_again():
    status = b"Package: libshop-java\nStatus: install ok installed\nVersion: 1\n"
    jar = zipped({"lib/other-3.jar": LIBRARY}, method=zipfile.ZIP_STORED)
    found = weights(
        layer(
            member("var/lib/dpkg/status", status),
            member("var/lib/dpkg/info/libshop-java.list", b"/usr/share/java/shop-1.jar\n"),
            member("usr/share/java/shop-1.jar", jar),
        )
    )
    assert found == {"libshop-java": len(jar), "other": 0, "shop": 0}


def test_sizes_that_add_up_to_more_than_the_file_are_cut():
    index = layer(member("a.jar", b"x" * 100))
    claimed = tuple(Component("maven", f"lib{n}", "1", f"lib{n}.jar", 60) for n in range(3))
    index.components["a.jar"] = (Component("maven", "a", "1"), *claimed)  # type: ignore[index]
    assert weights(index) == {"lib0": 60, "lib1": 40, "lib2": 0, "a": 0}


def test_names_are_short_and_printable():
    index = layer(member("a", b"x"))
    index.components["a"] = (Component("go", "n\x1b" + "x" * 1000, "1\n"),)  # type: ignore[index]
    (package,) = packages_of(index)
    assert (package.name[:2], len(package.name), package.version) == ("nx", 254, "1")
