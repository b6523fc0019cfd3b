import random

from fleet.analysis.claims import claim_all, find_all
from fleet.analysis.findings import Finding
from fleet.analysis.rules import RULES
from fleet.analysis.rules.rule import survey
from fleet.image.entries import ElfFacts
from fleet.image.loading import LoadedImage
from tests.analysis.images import Content, make_image

PIECES = [
    "usr",
    "share",
    "doc",
    "root",
    ".cache",
    "pip",
    ".git",
    "tests",
    "lib",
    "site-packages",
    "x",
    "tmp",
    "var",
    "log",
]
NAMES = ["test_a.py", "a.py", "a.js", "a.js.map", "liba.a", "copyright", "a.cpython-311.pyc", "core"]


def findings_of(image: LoadedImage, base_layers: int = 0) -> tuple[Finding, ...]:
    return find_all(survey(image.tree, image.config, ()), RULES, base_layers)


def random_image(seed: int) -> LoadedImage:
    chance = random.Random(seed)
    layers = []
    paths: list[str] = []
    for _ in range(chance.randint(1, 5)):
        files: dict[str, Content] = {}
        for _ in range(chance.randint(1, 60)):
            directory = "/".join(chance.choices(PIECES, k=chance.randint(1, 5)))
            path = chance.choice([f"{directory}/{chance.choice(NAMES)}", *paths])
            link: Content = f"=> {next(iter(files))}" if files else 5
            weight = chance.randint(0, 5_000)
            files[path] = chance.choice([weight, weight, weight, None, f"-> /{path}x", link])
            paths.append(path)
        files = {path: content for path, content in files.items() if not any(o.startswith(f"{path}/") for o in files)}
        layers.append(files)
    return make_image(*layers)


def test_claims_never_overlap_and_findings_add_up_whatever_the_image() -> None:
    for seed in range(150):
        image = random_image(seed)
        claims = [claim for _, found in claim_all(survey(image.tree, image.config, ()), RULES) for claim in found]
        assert len({(claim.layer, id(claim.entry)) for claim in claims}) == len(claims)
        findings = findings_of(image)
        for kind in ("unpacked_bytes", "compressed_bytes"):
            total = sum(getattr(finding.sizes, kind) for finding in findings)
            weighed = "size_bytes" if kind == "unpacked_bytes" else kind
            groups = {(f.rule, f.layer) for f in findings}
            assert len(groups) == len(findings)
            assert total == sum(
                getattr(claim.entry, weighed)
                for rule, found in claim_all(survey(image.tree, image.config, ()), RULES)
                for claim in found
                if (rule.name, claim.layer) in groups
            )
        assert sum(f.sizes.unpacked_bytes for f in findings) <= sum(layer.unpacked_bytes for layer in image.layers)


def test_a_path_version_belongs_to_the_first_rule_that_claims_it() -> None:
    # A static library in a Git directory in a cache.
    image = make_image({"root/.cache/pip/.git/lib/liba.a": 900})
    assert [(f.rule, f.sizes.unpacked_bytes) for f in findings_of(image)] == [("language-cache", 900)]


def test_there_is_one_finding_for_each_rule_and_layer_largest_first() -> None:
    image = make_image({"tmp/a": 10, "app/.git/x": 500}, {"tmp/b": 90})
    assert [(f.rule, f.layer, f.sizes.unpacked_bytes, f.sizes.compressed_bytes) for f in findings_of(image)] == [
        ("version-control", 0, 500, 166),
        ("temporary-files", 1, 90, 30),
        ("temporary-files", 0, 10, 3),
    ]


def test_what_came_with_the_base_says_so_and_advises_another_base() -> None:
    image = make_image({"tmp/a": 10}, {"tmp/b": 90})
    ours, base = findings_of(image, base_layers=1)
    assert "base image" not in ours.title
    assert base.title == "Logs, dumps and temporary files (in the base image)"
    assert "base" in base.advice
    assert ours.advice != base.advice


def test_a_directory_stands_for_its_files_where_all_of_them_are_claimed() -> None:
    files: dict[str, Content] = {f"root/.cache/pip/http/{n}/body": 10 for n in range(900)}
    (finding,) = findings_of(make_image({**files, "root/.bashrc": 5}))
    assert (finding.paths, finding.path_count) == (("/root/.cache/pip/",), 1)
    assert finding.sizes.unpacked_bytes == 9_000


def test_a_directory_does_not_stand_for_files_that_stay() -> None:
    image = make_image({"usr/share/doc/a/changelog": 30, "usr/share/doc/a/copyright": 5, "usr/share/doc/b/x": 20})
    (finding,) = findings_of(image)
    assert finding.paths == ("/usr/share/doc/a/changelog", "/usr/share/doc/b/x")


def test_a_deleted_directory_is_told_as_one_and_a_replaced_file_as_itself() -> None:
    image = make_image(
        {"build/obj/a": 50, "build/obj/b": 60, "app/x": 5, "app/y": 6}, {"build": None, "app/x": 7, "app/y": 8}
    )
    found = {finding.rule: finding.paths for finding in findings_of(image)}
    assert found == {"deleted-files": ("/build/",), "overwritten-files": ("/app/y", "/app/x")}


def test_paths_are_the_20_largest_and_counted_in_all() -> None:
    files: dict[str, Content] = {f"usr/share/doc/{n:02}/changelog": n + 1 for n in range(30)}
    files |= {f"usr/share/doc/{n:02}/copyright": 1 for n in range(30)}
    (finding,) = findings_of(make_image(files))
    assert len(finding.paths) == 20
    assert finding.paths[0] == "/usr/share/doc/29/changelog"
    assert finding.path_count == 30


def test_paths_are_fit_to_show() -> None:
    (finding,) = findings_of(make_image({"tmp/\x1b[2J\udcff": 10}))
    assert finding.paths == ("/tmp/\\x1b[2J\\xff",)


def test_a_layer_that_an_image_has_twice_is_counted_twice_but_no_version_is() -> None:
    image = make_image({"tmp/a": 10})
    twice = make_image({"tmp/a": 10}, {"tmp/a": 10})
    assert sum(f.sizes.unpacked_bytes for f in findings_of(image)) == 10
    assert sum(f.sizes.unpacked_bytes for f in findings_of(twice)) == 20


def test_an_image_without_waste_has_no_findings() -> None:
    assert findings_of(make_image({"app/main": 100})) == ()


def test_content_that_was_deleted_under_one_of_its_names_is_no_waste() -> None:
    assert findings_of(make_image({"a": 900, "b": "=> a"}, {"a": None})) == ()
    assert findings_of(make_image({"a": 900, "b": "=> a"}, {"a": None, "b": None}))[0].sizes.unpacked_bytes == 900


class TestAFileOfWhichAPartIsClaimed:
    PROGRAM = ElfFacts("x86_64", stripped=False, debug_bytes=700_000, debug_compressed_bytes=200_000)

    def test_loses_it_even_where_the_command_runs_it(self) -> None:
        (finding,) = findings_of(make_image({"app/server": self.PROGRAM}, entrypoint=("/app/server",)))
        assert (finding.rule, finding.sizes.unpacked_bytes) == ("unstripped-programs", 700_000)

    def test_loses_it_under_all_its_names(self) -> None:
        (finding,) = findings_of(make_image({"usr/bin/git": self.PROGRAM, "usr/bin/git-log": "=> usr/bin/git"}))
        assert (finding.paths, finding.sizes.unpacked_bytes) == (("/usr/bin/git",), 700_000)

    def test_is_told_by_its_own_path_since_its_directory_stays(self) -> None:
        (finding,) = findings_of(make_image({"app/bin/a": self.PROGRAM, "app/bin/b": self.PROGRAM}))
        assert finding.paths == ("/app/bin/a", "/app/bin/b")
