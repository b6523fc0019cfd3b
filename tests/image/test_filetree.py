import random
import time

import pytest

from fleet.image.entries import ElfFacts, Entry, LayerIndex
from fleet.image.filetree import FileTree, apply_layers
from tests.image.archives import directory, hardlink, layer, member, symlink


def tree_of(*layers) -> FileTree:
    return apply_layers([layer(*members) for members in layers])


def hidden(tree: FileTree) -> list[tuple[str, int, int, str]]:
    return sorted((h.entry.path, h.layer, h.hidden_by, h.cause) for h in tree.hidden)


def test_a_later_layer_overwrites_and_both_versions_are_told():
    tree = tree_of([member("a", b"1")], [member("b", b"22")], [member("a", b"333")])
    assert [(path, n.layer, n.entry.size_bytes) for path, n in tree.nodes.items()] == [("a", 2, 3), ("b", 1, 2)]
    assert hidden(tree) == [("a", 0, 2, "overwritten")]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"mode": 0o600}, "metadata"),
        ({"uid": 5}, "metadata"),
        ({"gid": 5}, "metadata"),
        ({}, "overwritten"),
    ],
)
def test_only_another_mode_or_owner_at_the_same_size_is_a_change_of_metadata(change, cause):
    assert hidden(tree_of([member("a", b"1")], [member("a", b"1", **change)])) == [("a", 0, 1, cause)]


def test_another_content_of_the_same_size_is_no_change_of_metadata():
    tree = tree_of([member("a", b"1" * 2000)], [member("a", b"2" * 2000, mode=0o600)], [member("a", b"2" * 2000)])
    assert hidden(tree) == [("a", 0, 1, "overwritten"), ("a", 1, 2, "metadata")]


def test_a_symlink_that_points_elsewhere_is_overwritten():
    assert hidden(tree_of([symlink("a", "x")], [symlink("a", "y")])) == [("a", 0, 1, "overwritten")]


def test_a_whiteout_hides_the_path_with_everything_below():
    tree = tree_of([member("d/e/f", b"1"), member("d/g"), member("dd")], [member(".wh.d")])
    assert list(tree.nodes) == ["dd"]
    assert hidden(tree) == [("d/e/f", 0, 1, "deleted"), ("d/g", 0, 1, "deleted")]


@pytest.mark.parametrize("first", [True, False])
def test_whiteouts_hide_lower_layers_only_wherever_they_stand(first):
    new, whiteout = member("d/a", b"new"), member("d/.wh.a")
    tree = tree_of([member("d/a")], [whiteout, new] if first else [new, whiteout])
    assert (tree.nodes["d/a"].layer, hidden(tree)) == (1, [("d/a", 0, 1, "deleted")])


@pytest.mark.parametrize("first", [True, False])
def test_an_opaque_directory_is_emptied_of_lower_layers_only(first):
    new, opaque = member("d/new"), member("d/.wh..wh..opq")
    lower = [directory("d"), member("d/old"), member("d/deep/old")]
    tree = tree_of(lower, [opaque, new] if first else [new, opaque])
    assert sorted(tree.nodes) == ["d", "d/new"]
    assert hidden(tree) == [("d/deep/old", 0, 1, "deleted"), ("d/old", 0, 1, "deleted")]


def test_an_opaque_whiteout_leaves_its_directory_and_the_siblings():
    tree = tree_of([directory("d", mode=0o700), member("d/a"), member("da")], [member("d/.wh..wh..opq")])
    assert (sorted(tree.nodes), tree.nodes["d"].entry.mode) == (["d", "da"], 0o700)
    assert hidden(tree) == [("d/a", 0, 1, "deleted")]


@pytest.mark.parametrize("name", ["d/.wh.", "d/.wh..", "d/.wh...", ".wh."])
def test_a_bare_whiteout_hides_nothing_and_is_no_file(name):
    tree = tree_of([member("d/a", b"1"), member("b")], [member(name)])
    assert (sorted(tree.nodes), hidden(tree)) == (["b", "d/a"], [])


def test_an_opaque_root_empties_everything():
    assert list(tree_of([member("a/b"), member("c")], [member(".wh..wh..opq"), member("new")]).nodes) == ["new"]


def test_a_whiteout_of_what_is_not_there_does_nothing():
    assert hidden(tree_of([member("a")], [member(".wh.b"), member("a/.wh.c")])) == []


def test_a_directory_over_a_directory_merges():
    tree = tree_of([directory("d"), member("d/a")], [directory("d", mode=0o700), member("d/b")])
    assert sorted(tree.nodes) == ["d", "d/a", "d/b"]
    assert tree.nodes["d"].entry.mode == 0o700
    assert hidden(tree) == [("d", 0, 1, "metadata")]


@pytest.mark.parametrize("new", [member("d", b"x"), symlink("d", "e")])
def test_anything_else_over_a_directory_drops_its_children(new):
    tree = tree_of([directory("d"), member("d/a"), directory("d/e"), member("d/e/f")], [new])
    assert list(tree.nodes) == ["d"]
    assert hidden(tree) == [
        ("d", 0, 1, "overwritten"),
        ("d/a", 0, 1, "deleted"),
        ("d/e", 0, 1, "deleted"),
        ("d/e/f", 0, 1, "deleted"),
    ]
    assert list(tree.under("d")) == []


def test_a_file_over_a_directory_that_no_layer_lists_drops_its_children():
    assert list(tree_of([member("d/a")], [member("d")]).nodes) == ["d"]


def test_a_directory_over_a_file_replaces_it():
    tree = tree_of([member("d", b"x")], [directory("d"), member("d/a")])
    assert (sorted(tree.nodes), hidden(tree)) == (["d", "d/a"], [("d", 0, 1, "overwritten")])


def test_a_file_below_a_symlink_makes_a_directory_of_it():
    tree = tree_of([member("usr/bin/a"), symlink("bin", "usr/bin")], [member("bin/b")])
    assert (sorted(tree.nodes), hidden(tree)) == (["bin/b", "usr/bin/a"], [("bin", 0, 1, "overwritten")])


def test_of_a_path_that_a_layer_holds_twice_the_last_counts():
    tree = tree_of([member("a", b"1"), member("a", b"22")])
    assert (tree.nodes["a"].entry.size_bytes, hidden(tree)) == (2, [("a", 0, 0, "overwritten")])


def test_a_path_may_come_and_go_and_come():
    tree = tree_of([member("a")], [member(".wh.a")], [member("a", b"2")], [member(".wh.a")])
    assert (dict(tree.nodes), hidden(tree)) == ({}, [("a", 0, 1, "deleted"), ("a", 2, 3, "deleted")])


def test_a_hard_link_takes_over_the_bytes_of_a_hidden_file():
    tree = tree_of(
        [member("a", b"12345", mode=0o755), hardlink("b", "a"), hardlink("c", "b")],
        [member(".wh.a")],
    )
    assert [(path, n.entry.kind, n.entry.size_bytes, n.entry.link) for path, n in tree.nodes.items()] == [
        ("b", "file", 5, ""),
        ("c", "hardlink", 0, "b"),
    ]
    assert tree.nodes["b"].entry.mode == 0o755
    assert [(h.entry.path, h.entry.size_bytes) for h in tree.hidden] == [("a", 0)]


def test_hard_links_across_layers_count_their_bytes_once():
    """An upper layer links to a file of a lower one; a third deletes the name that brought it."""
    lower, upper = [member("a", b"12345")], [hardlink("b", "a"), member("c", b"1")]
    linked = tree_of(lower, upper)
    assert {path: n.entry.size_bytes for path, n in linked.nodes.items()} == {"a": 5, "b": 0, "c": 1}
    deleted = tree_of(lower, upper, [member(".wh.a")])
    assert {path: (n.entry.kind, n.entry.size_bytes) for path, n in deleted.nodes.items()} == {
        "b": ("file", 5),
        "c": ("file", 1),
    }
    assert [(h.entry.path, h.entry.size_bytes, h.cause) for h in deleted.hidden] == [("a", 0, "deleted")]


def test_bytes_are_hidden_once_no_link_is_left():
    tree = tree_of([member("a", b"12345"), hardlink("b", "a")], [member(".wh.a"), member("b")])
    assert sum(h.entry.size_bytes for h in tree.hidden) == 5


@pytest.mark.parametrize("seed", range(20))
def test_no_byte_of_any_layer_is_lost_or_counted_twice(seed):
    chance = random.Random(seed)
    layers = [random_layer(chance) for _ in range(6)]
    tree = apply_layers(layers)
    versions = [node.entry for node in tree.nodes.values()] + [h.entry for h in tree.hidden]
    entries = [e for one in layers for e in one.entries if e.kind not in ("whiteout", "opaque")]
    assert len(versions) == len(entries)
    assert sum(e.size_bytes for e in versions) == sum(e.size_bytes for e in entries)
    assert sum(e.compressed_bytes for e in versions) == sum(e.compressed_bytes for e in entries)
    for path in tree.nodes:
        parents = [path[:at] for at, char in enumerate(path) if char == "/"]
        assert all(tree.nodes[p].entry.kind == "directory" for p in parents if p in tree.nodes)
        assert tree.nodes[path].entry.path == path


def random_layer(chance: random.Random) -> LayerIndex:
    members = []
    for _ in range(30):
        path = "/".join(chance.choices("abc", k=chance.randint(1, 4)))
        parent, _, name = path.rpartition("/")
        dot = f"{parent}/" if parent else ""
        members.append(
            chance.choice(
                [
                    member(path, chance.randbytes(chance.randint(0, 99))),
                    directory(path),
                    member(f"{dot}.wh.{name}"),
                    member(f"{path}/.wh..wh..opq"),
                    hardlink(path, "/".join(chance.choices("abc", k=2))),
                    symlink(path, "a"),
                ]
            )
        )
    return layer(*members)


TREE = [
    directory("usr"),
    directory("usr/lib"),
    member("usr/lib/x", b"x"),
    symlink("lib", "usr/lib"),
    symlink("abs", "/lib/x"),
    symlink("up", "../../../lib/../lib/x"),
    symlink("chain", "abs"),
    symlink("loop", "loop2"),
    symlink("loop2", "loop"),
    symlink("dangling", "nothing"),
    symlink("usr/self", "."),
    member("hidden/parents/f"),
]


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("usr/lib/x", "usr/lib/x"),
        ("/usr/lib/x", "usr/lib/x"),
        ("lib/x", "usr/lib/x"),
        ("lib", "usr/lib"),
        ("abs", "usr/lib/x"),
        ("up", "usr/lib/x"),
        ("chain", "usr/lib/x"),
        ("usr/self/self/self/lib/x", "usr/lib/x"),
        ("lib/../lib/./x", "usr/lib/x"),
        ("../../usr", "usr"),
        ("", ""),
        ("hidden/parents", "hidden/parents"),
        ("loop", None),
        ("dangling", None),
        ("nowhere", None),
        ("usr/lib/x/y", None),
        ("usr/lib/x/..", None),
    ],
)
def test_paths_are_resolved_as_the_kernel_does(path, real):
    assert tree_of(TREE).resolve(path) == real


def test_the_trail_of_a_path_is_what_must_be_copied_to_open_it():
    assert tree_of(TREE).trace("chain") == ("chain", "abs", "lib", "usr/lib/x")
    assert tree_of(TREE).trace("dangling") == ()


def test_more_than_forty_symlinks_are_too_many():
    links = [symlink(f"l{number}", f"l{number + 1}") for number in range(60)]
    tree = tree_of([*links, member("l60")])
    assert (tree.resolve("l20"), tree.resolve("l19")) == ("l60", None)


def test_under_lists_what_is_below_and_no_neighbour():
    tree = tree_of([directory("a"), member("a/b/c"), member("ab"), member("a.b")])
    assert [path for path, _ in tree.under("a")] == ["a/b/c"]
    assert sorted(path for path, _ in tree.under("")) == ["a", "a.b", "a/b/c", "ab"]


def test_texts_are_those_of_the_versions_that_survive():
    tree = tree_of(
        [member("etc/passwd", b"old"), member("etc/group", b"gone"), member("usr/lib/os-release", b"caf\xe9")],
        [member("etc/passwd", b"new"), member("etc/.wh.group"), symlink("etc/os-release", "../usr/lib/os-release")],
    )
    assert dict(tree.texts) == {"etc/passwd": b"new", "usr/lib/os-release": b"caf\xe9"}
    assert tree.text("etc/os-release") == "caf�"
    assert tree.text("etc/group") is None


def test_a_hard_link_has_the_text_of_its_file_even_when_that_is_deleted():
    members = [member("manage.py", b"#!/usr/bin/python\n", mode=0o755), hardlink("bin/manage", "manage.py")]
    tree = tree_of(members, [member(".wh.manage.py")])
    assert (tree.text("bin/manage"), tree.shebangs["bin/manage"]) == ("#!/usr/bin/python\n", "#!/usr/bin/python")


def test_a_replaced_program_takes_its_facts_along():
    elf = ElfFacts("x86_64")
    lower = LayerIndex("", "", "", 0, 9, (Entry("p", "file", 9, 9, 0o755),), elf={"p": elf})
    upper = LayerIndex("", "", "", 0, 9, (Entry("p", "file", 8, 8, 0o755),))
    assert (dict(apply_layers([lower]).elf), dict(apply_layers([lower, upper]).elf)) == ({"p": elf}, {})


def test_many_whiteouts_in_a_large_tree_take_no_time_of_their_own():
    entries = tuple(Entry(f"d{n % 700}/e{n % 31}/f{n}", "file", 1, 1, 0o644) for n in range(100_000))
    whiteouts = tuple(Entry(f"d{n % 700}/e{n % 31}/f{n}", "whiteout", 0, 0, 0) for n in range(10_000))
    start = time.process_time()
    tree = apply_layers([LayerIndex("", "", "", 0, 0, entries), LayerIndex("", "", "", 0, 0, whiteouts)])
    assert len(tree.nodes) == 90_000
    assert time.process_time() - start < 5
