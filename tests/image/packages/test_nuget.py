import json

from fleet.image.packages import read_packages
from tests.image.packages.trees import by_name, only, tree_of

TARGET = ".NETCoreApp,Version=v8.0"


def deps(targets: dict, types: dict | None = None, target: str = TARGET) -> str:
    libraries = {library: {"type": (types or {}).get(library, "package")} for library in targets}
    return json.dumps({"runtimeTarget": {"name": target}, "targets": {target: targets}, "libraries": libraries})


def test_assemblies_are_found_where_publishing_puts_them():
    library = {
        "dependencies": {"Other": "1.0.0"},
        "runtime": {"lib/net6.0/Main.dll": {"fileVersion": "1"}},
        "resources": {"lib/net6.0/de/Main.resources.dll": {"locale": "de"}},
        "native": {"runtimes/linux-x64/native/libmain.so": {}},
        "runtimeTargets": {"runtimes/win/lib/net6.0/Main.Win.dll": {"rid": "win", "assetType": "runtime"}},
    }
    files = (
        "app/Main.dll",
        "app/de/Main.resources.dll",
        "app/libmain.so",
        "app/runtimes/win/lib/net6.0/Main.Win.dll",
    )
    tree = tree_of({"app/shop.deps.json": deps({"Main/13.0.3": library})} | dict.fromkeys(files, "12"))
    package = only(tree)
    assert (package.ecosystem, package.name, package.version) == ("nuget", "Main", "13.0.3")
    assert set(package.paths) == set(files)
    assert (package.depends, package.unpacked_bytes) == (("Other",), 8)


def test_the_shared_framework_is_a_package_of_its_directory():
    framework = {"runtime": {"System.Linq.dll": {}}, "native": {"libSystem.Native.so": {}}}
    root = "usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1"
    document = deps({"Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": framework}, target=f"{TARGET}/linux-x64")
    tree = tree_of({f"{root}/Microsoft.NETCore.App.deps.json": document, f"{root}/System.Linq.dll": "1"})
    assert only(tree).paths == (f"{root}/System.Linq.dll",)


def test_projects_and_names_that_brought_nothing_are_no_packages():
    brings = {"runtime": {"lib/net8.0/A.dll": {}}}
    targets = {
        "shop/1.0.0": {"dependencies": {"Meta": "2.0.0"}, "runtime": {"shop.dll": {}}},
        "Meta/2.0.0": {"dependencies": {"A": "1.0.0", "Cycle": "1.0.0"}},
        "A/1.0.0": brings,
        "Cycle/1.0.0": {"dependencies": {"Meta": "2.0.0"}},
        "Microsoft.NETCore.Platforms/1.1.0": {},
        "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {"native": {"libcoreclr.so": {}}},
    }
    types = {"shop/1.0.0": "project", "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": "runtimepack"}
    names = set(by_name(tree_of({"app/shop.deps.json": deps(targets, types)})))
    assert names == {"A", "Meta", "Cycle", "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64"}


def test_files_outside_of_the_program_are_not_claimed():
    library = {"runtime": {"../../etc/passwd": {}, "/etc/group": {}, "lib/net8.0/../../../etc/shadow": {}}}
    tree = tree_of({"app/a.deps.json": deps({"A/1": library}), "etc/passwd": "1", "etc/group": "1", "etc/shadow": "1"})
    assert not set(only(tree).paths) & {"etc/passwd", "etc/group", "etc/shadow"}


def test_documents_of_another_shape_yield_what_is_in_them():
    texts = ("[]", "{", "[" * 100_000, '{"targets": []}', '{"targets": {"x": 1}, "libraries": {"A/1": null}}')
    tree = tree_of({f"app/{number}.deps.json": text for number, text in enumerate(texts)})
    assert read_packages(tree) == ()
    odd = {"targets": {TARGET: {"A/1": {"runtime": {"A.dll": None}, "native": 3}, "B": []}}}
    odd["libraries"] = {"A/1": {"type": "package"}, "B": {"type": "package"}}
    assert only(tree_of({"app/odd.deps.json": json.dumps(odd), "app/A.dll": ""})).paths == ("app/A.dll",)
