"""How the new image starts: nothing in front of the program that is not needed."""

from dataclasses import replace

import pytest

from fleet.dockerfile.starting import plan_start
from tests.dockerfile import images as i

NODE_SCRIPT = b"""#!/bin/sh
set -e
# Run command with node if the first argument contains a "-" or is not a system command.
if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ]; then
  set -- node "$@"
fi

exec "$@"
"""
PACKAGE = (
    b'{"scripts": {"start": "node server.js --port 80", "both": "node a && node b", "web": "next start",'
    b' "prehook": "true", "hook": "node x"}}'
)


def tree(script=NODE_SCRIPT):
    files = {
        **i.DEBIAN,
        "usr/local/bin/node": i.SHELL,
        "usr/local/bin/npm": "#!/usr/bin/env node",
        "usr/local/bin/entry.sh": "#!/bin/sh",
        "app/package.json": PACKAGE,
        "app/server.js": 10,
        "app/node_modules/.bin/next": "-> ../next/cli",
        "app/node_modules/next/cli": "#!/usr/bin/env node",
    }
    found = i.image(files, config=i.CONFIG).tree
    return replace(found, texts={**found.texts, "usr/local/bin/entry.sh": script})


def start(script=NODE_SCRIPT, **settings):
    return plan_start(tree(script), replace(i.CONFIG, **settings))


@pytest.mark.parametrize(
    ("cmd", "expected"),
    [
        (("node", "server.js"), ("node", "server.js")),
        (("server.js",), ("node", "server.js")),
        (("--max-old-space-size=99", "server.js"), ("node", "--max-old-space-size=99", "server.js")),
    ],
)
def test_an_entry_script_that_only_hands_over_gives_way_to_the_command(cmd, expected):
    planned = start(entrypoint=("entry.sh",), cmd=cmd)
    assert planned.config.entrypoint is None
    assert planned.config.cmd == expected
    assert planned.shell == ""
    assert "only hands over" in planned.notes[0]


@pytest.mark.parametrize(
    "script",
    [b'#!/bin/sh\nmigrate\nexec "$@"\n', b"#!/bin/sh\nexec node server.js\n", b'#!/bin/sh\nexec "$@" --more\n'],
)
def test_an_entry_script_that_does_anything_stays(script):
    planned = start(script, entrypoint=("entry.sh",), cmd=("node", "server.js"))
    assert planned.config.entrypoint == ("entry.sh",)
    assert planned.shell.startswith("The entry point is a shell script (/usr/local/bin/entry.sh)")


@pytest.mark.parametrize(
    "script",
    [
        NODE_SCRIPT.replace(b"#!/bin/sh", b"#!/usr/bin/with-contenv bash"),
        NODE_SCRIPT.replace(b"#!/bin/sh", b"#!/bin/bash --login"),
        NODE_SCRIPT.replace(b"set -- node", b"set -- tini"),
        NODE_SCRIPT.replace(b"]; then", b"] && migrate-db; then"),
        NODE_SCRIPT.replace(b"command -v", b"migrate"),
    ],
)
def test_an_entry_script_that_is_nearly_the_official_one_stays(script):
    assert start(script, entrypoint=("entry.sh",), cmd=("node", "server.js")).config.entrypoint == ("entry.sh",)


def test_a_file_that_cannot_be_executed_is_given_to_the_runtime_as_the_script_does():
    assert start(entrypoint=("entry.sh",), cmd=("/app/server.js",)).config.cmd == ("node", "/app/server.js")


@pytest.mark.parametrize(
    "words", [("env", "npm", "start"), ("/usr/local/bin/npm", "start"), ("npx", "serve"), ("yarnpkg", "web")]
)
def test_runners_of_scripts_need_their_shell_whatever_stands_before_them(words):
    assert "starts scripts with a shell" in start(cmd=words).shell


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("npm", "start"), ("node", "server.js", "--port", "80")),
        (("npm", "run", "start"), ("node", "server.js", "--port", "80")),
        (("yarn", "web"), ("./node_modules/.bin/next", "start")),
    ],
)
def test_a_simple_script_of_a_package_is_written_out(words, expected):
    planned = start(cmd=words)
    assert planned.config.cmd == expected
    assert planned.shell == ""
    assert "written out" in planned.notes[0]


@pytest.mark.parametrize("words", [("npm", "run", "both"), ("npm", "run", "hook"), ("npm", "run", "missing"), ("npm",)])
def test_other_scripts_of_a_package_keep_their_runner_and_its_shell(words):
    planned = start(cmd=words)
    assert planned.config.cmd == words
    assert "npm, which starts scripts with a shell" in planned.shell


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        (("CMD-SHELL", "ls && true"), "The health check is a script for a shell (ls && true)"),
        (("CMD", "/bin/sh", "/app/check"), "The health check starts /bin/sh"),
        (("CMD", "entry.sh"), "The health check is a shell script (/usr/local/bin/entry.sh)"),
        (("CMD", "node", "check.js"), ""),
        (("NONE",), ""),
    ],
)
def test_a_health_check_may_be_what_needs_a_shell(test, reason):
    planned = start(cmd=("node", "server.js"), healthcheck=i.Healthcheck(test))
    assert planned.shell.startswith(reason)
    assert bool(planned.shell) == bool(reason)
