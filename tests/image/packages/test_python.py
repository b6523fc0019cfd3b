from fleet.image.packages import read_packages
from tests.image.packages.trees import only, tree_of

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
