"""The tree is what the engine exports, path by path; the sizes are those that it adds up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.real_images.conftest import Built
from tests.real_images.exported import ENGINES_OWN, Listing, listing_of_export, listing_of_tree

pytestmark = [pytest.mark.engine, pytest.mark.registry]


@pytest.fixture(scope="session")
def exported(built: Built) -> Listing:
    container = built.engine.containers.create(built.image.id)
    try:
        return listing_of_export(container.export())
    finally:
        container.remove()


def test_the_tree_holds_every_path_that_the_engine_exports_and_no_other(built: Built, exported: Listing) -> None:
    ours = listing_of_tree(built.by_registry.tree)
    assert exported.files.keys() - ENGINES_OWN == ours.files.keys() - ENGINES_OWN


def test_each_path_is_what_the_engine_exports_to_the_byte(built: Built, exported: Listing) -> None:
    """Kind, size, mode, owner, where a symlink leads, and of files of a kilobyte and more the content."""
    ours = listing_of_tree(built.by_registry.tree)
    for path, file in ours.files.items():
        if path not in ENGINES_OWN:
            theirs = exported.files[path]
            if file.fingerprint == 0:
                theirs = replace(theirs, fingerprint=0)
            assert (path, file) == (path, theirs)


def test_names_of_one_file_are_known_as_such_and_weigh_once(built: Built, exported: Listing) -> None:
    ours = listing_of_tree(built.by_registry.tree)
    assert ours.linked == exported.linked
    own_bytes = sum(file.size_bytes for path, file in exported.files.items() if path in ENGINES_OWN)
    kept_bytes = sum(file.size_bytes for path, file in ours.files.items() if path in ENGINES_OWN)
    assert ours.bytes_once - kept_bytes == exported.bytes_once - own_bytes


def test_the_engine_and_the_registry_lead_to_the_same_tree(built: Built) -> None:
    by_engine, by_registry = (listing_of_tree(image.tree) for image in (built.by_engine, built.by_registry))
    assert by_engine == by_registry


def test_layers_weigh_what_the_history_of_the_engine_says(built: Built) -> None:
    steps = zip(reversed(built.image.history()), built.by_registry.config.history, strict=True)
    sizes = [said["Size"] for said, step in steps if not step.empty_layer]
    for image in (built.by_engine, built.by_registry):
        assert [layer.unpacked_bytes for layer in image.layers] == sizes
        assert image.sizes.unpacked_bytes == built.image.attrs["Size"]


def test_the_image_weighs_what_the_registry_keeps(built: Built) -> None:
    compressed_bytes = built.registry.compressed_bytes(built.repository, "1")
    assert built.by_registry.sizes.compressed_bytes == compressed_bytes
    assert sum(layer.compressed_bytes for layer in built.by_registry.layers) < compressed_bytes


def test_every_version_of_a_path_survives_or_is_hidden(built: Built) -> None:
    tree = built.by_registry.tree
    versions = [*(node.entry for node in tree.nodes.values()), *(hidden.entry for hidden in tree.hidden)]
    assert sum(entry.size_bytes for entry in versions) == built.by_registry.sizes.unpacked_bytes
