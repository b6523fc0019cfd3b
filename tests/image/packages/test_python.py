import pytest

from fleet.image.packages import read_packages
from tests.image.packages.trees import by_name, only, tree_of

SITE = "usr/local/lib/python3.11/site-packages"
METADATA = """Metadata-Version: 2.1
Name: Demo-App
Version: 1.0
Requires-Dist: asgiref<4,>=3.8.1
Requires-Dist: argon2-cffi>=19.1.0; extra == "argon2"
Requires-Dist: tzdata; sys_platform == "win32"

Name: not a header
"""


def test_python_distributions_have_what_their_record_lists_and_its_bytecode():
    record = '"demo/a,b.py",sha256=x,3\r\ndemo/__init__.py,,\r\n../../../bin/demo,,\ngone.py,,\n'
    tree = tree_of(
        {
            f"{SITE}/demo-1.0.dist-info/METADATA": METADATA,
            f"{SITE}/demo-1.0.dist-info/RECORD": record,
            f"{SITE}/demo/a,b.py": "123",
            f"{SITE}/demo/__init__.py": "",
            f"{SITE}/demo/__pycache__/__init__.cpython-311.pyc": "12345",
            f"{SITE}/demo/__pycache__/other.cpython-311.pyc": "12345",
            f"{SITE}/unlisted.py": "1",
            "usr/local/bin/demo": "1234567",
        }
    )
    package = only(tree)
    assert (package.ecosystem, package.name, package.version) == ("pypi", "Demo-App", "1.0")
    assert package.depends == ("asgiref", "tzdata")
    assert set(package.paths) == {
        f"{SITE}/demo/a,b.py",
        f"{SITE}/demo/__init__.py",
        f"{SITE}/demo/__pycache__/__init__.cpython-311.pyc",
        f"{SITE}/demo-1.0.dist-info/METADATA",
        "usr/local/bin/demo",
    }
    assert package.unpacked_bytes == 3 + 5 + 7 + len(METADATA)


def test_distributions_without_a_record_own_their_top_level_modules():
    tree = tree_of(
        {
            "site-packages/six-1.16.egg-info/PKG-INFO": "Name: six\nVersion: 1.16\n",
            "site-packages/six-1.16.egg-info/top_level.txt": "six\n..\n/etc\n",
            "site-packages/six.py": "123",
            "site-packages/old_style-2.egg-info": "Name: Old-Style\nVersion: 2\n",
            "site-packages/old_style/a.py": "1",
            "etc/passwd": "root",
        }
    )
    six, old = sorted(read_packages(tree), key=lambda package: package.name, reverse=True)
    assert (six.name, "site-packages/six.py" in six.paths, "etc/passwd" in six.paths) == ("six", True, False)
    assert (old.name, "site-packages/old_style/a.py" in old.paths) == ("Old-Style", True)


def test_unpacked_eggs_own_all_that_is_in_them():
    egg = f"{SITE}/demo-1.0-py3.11.egg"
    tree = tree_of(
        {
            f"{egg}/EGG-INFO/PKG-INFO": "Name: demo\nVersion: 1.0\nRequires-Dist: six\n",
            f"{egg}/demo/__init__.py": "12345",
            f"{SITE}/other.py": "1",
        }
    )
    package = only(tree)
    assert (package.name, package.version) == ("demo", "1.0")
    assert set(package.paths) == {f"{egg}/EGG-INFO/PKG-INFO", f"{egg}/demo/__init__.py"}


def test_what_the_installer_noted_beside_old_metadata_is_owned():
    tree = tree_of(
        {
            f"{SITE}/demo-1.0.egg-info/PKG-INFO": "Name: demo\nVersion: 1.0\n",
            f"{SITE}/demo-1.0.egg-info/installed-files.txt": "../other.py\nPKG-INFO\n../../../../bin/demo\n",
            f"{SITE}/other.py": "1",
            f"{SITE}/demo.py": "another's",
            "usr/local/bin/demo": "1",
        }
    )
    assert set(only(tree).paths) == {f"{SITE}/other.py", f"{SITE}/demo-1.0.egg-info/PKG-INFO", "usr/local/bin/demo"}


def editable(url: str, flag: str = "true") -> dict[str, str]:
    return {
        f"{SITE}/my_shop-1.0.dist-info/METADATA": "Name: my-shop\nVersion: 1.0\n",
        f"{SITE}/my_shop-1.0.dist-info/RECORD": "__editable__.my_shop-1.0.pth,,\n",
        f"{SITE}/my_shop-1.0.dist-info/direct_url.json": f'{{"url": "{url}", "dir_info": {{"editable": {flag}}}}}',
        f"{SITE}/__editable__.my_shop-1.0.pth": "/app/src",
        "app/src/my_shop.egg-info/PKG-INFO": "Name: My.Shop\nVersion: 1.0\n",
        "app/src/my_shop.egg-info/top_level.txt": "shop\n",
        "app/src/shop/views.py": "12345",
        "app/manage.py": "1",
    }


def test_an_editable_installation_and_its_sources_are_one_distribution():
    package = only(tree_of(editable("file:///app")))
    assert (package.name, package.version) == ("my-shop", "1.0")
    assert {"app/src/shop/views.py", f"{SITE}/__editable__.my_shop-1.0.pth"} < set(package.paths)
    assert "app/manage.py" not in package.paths


def test_metadata_elsewhere_or_of_a_copied_project_is_a_distribution_of_its_own():
    for files in (editable("file:///srv/app"), editable("file:///app", "false"), editable("https://[app")):
        assert [package.version for package in read_packages(tree_of(files))] == ["1.0", "1.0"]


def test_the_interpreter_is_no_distribution():
    tree = tree_of({"usr/lib/python2.7/lib-dynload/Python-2.7.egg-info": "Name: Python\nVersion: 2.7.18\n"})
    assert read_packages(tree) == ()


PIPFILE = '{"default": {"django": {}, "typing_extensions": {}}, "develop": {"pytest": {}, "typing-extensions": {}}}'
POETRY_1_4 = """[[package]]
name = "Django"
version = "5"
category = "main"

[package.dependencies]
name = "category"

[[package]]
name = "pytest"
version = "8"
category = "dev"
"""
POETRY_2 = """[[package]]
name = "django"
groups = ["main"]

[[package]]
name = "typing_extensions"
groups = ["dev", "main"]

[[package]]
name = "pytest"
groups = ["dev", "test"]
"""


@pytest.mark.parametrize(
    ("path", "text"),
    [("app/Pipfile.lock", PIPFILE), ("app/poetry.lock", POETRY_1_4), ("poetry.lock", POETRY_2)],
    ids=["pipenv", "poetry 1.4", "poetry 2"],
)
def test_distributions_that_a_lock_file_has_for_development_alone_are_marked(path, text):
    names = ("Django", "PyTest", "typing-extensions")
    files = {f"{SITE}/{name}.dist-info/METADATA": f"Name: {name}\nVersion: 1\n" for name in names}
    packages = by_name(tree_of(files | {path: text}))
    assert {name for name, package in packages.items() if package.development} == {"PyTest"}
    elsewhere = by_name(tree_of(files | {f"{SITE}/library/{path}": text}))
    assert not any(package.development for package in elsewhere.values())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"develop": ["pytest"]}', '[[package]]\nname = "pytest"\n'])
def test_lock_files_that_tell_nothing_mark_nothing(text):
    files = {f"{SITE}/pytest.dist-info/METADATA": "Name: pytest\nVersion: 1\n"}
    assert not only(tree_of(files | {"app/Pipfile.lock": text, "app/poetry.lock": text})).development
