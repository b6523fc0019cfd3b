"""How a team's own Dockerfile is turned into a build stage, and outlines from history."""

from dataclasses import replace

import pytest

from fleet.dockerfile.history import outline
from fleet.dockerfile.parse import InvalidDockerfile, parse_dockerfile
from fleet.dockerfile.suggestion import NothingToSuggest
from fleet.oci.manifest import HistoryEntry
from tests.dockerfile import images as i


def test_every_line_that_builds_stays_as_it_is():
    text = i.rebuilt(i.service()).dockerfile
    build = text.rpartition("FROM ")[0]
    moved = ("FROM", "EXPOSE", "CMD")
    assert all(line in build for line in i.TRADITIONAL.splitlines() if not line.startswith(moved))
    assert not any(line.startswith(("EXPOSE", "CMD", "USER")) for line in build.splitlines())


def test_the_environment_is_made_before_the_first_install_and_loses_its_installer():
    text = i.rebuilt(i.service()).dockerfile
    steps = ["python -m venv /opt/venv", "RUN pip install", "pip uninstall -y pip", "COPY --from=build /opt/venv"]
    assert [text.index(step) for step in steps] == sorted(text.index(step) for step in steps)


@pytest.mark.parametrize(
    "install",
    [
        "RUN pip install --user -r requirements.txt",
        "RUN uv pip install --system -r requirements.txt",
        "RUN pip install --target /app/lib django",
        "RUN /usr/local/bin/pip install django",
        "RUN python setup.py install",
    ],
)
def test_installs_that_no_environment_redirects_stay_where_they_are(install):
    text = i.rebuilt(i.service(), i.TRADITIONAL.replace("RUN pip install -r requirements.txt", install)).dockerfile
    assert "venv" not in text
    assert f"COPY --from=build /{i.SITE} /{i.SITE}" in text


def test_a_command_that_names_the_systems_interpreter_rules_an_environment_out():
    loaded = i.service(config=replace(i.CONFIG, cmd=("/usr/local/bin/python", "/app/manage.py")))
    assert "venv" not in i.rebuilt(loaded).dockerfile


def test_stage_names_do_not_collide():
    text = i.rebuilt(i.service(), "FROM node:20 AS build\nRUN npm ci\n" + i.TRADITIONAL).dockerfile
    assert "AS builder" in text
    assert "COPY --from=builder /opt/venv" in text


def test_the_base_follows_the_tag_that_the_team_chose():
    bases = i.Served({"python:3.11-slim-bookworm": i.SLIM, "python:3.11.7-slim": i.SLIM})
    suggestion = i.rebuilt(i.service(), i.TRADITIONAL.replace("python:3.11", "python:3.11.7"), bases)
    assert suggestion.base.reference == "python:3.11.7-slim"


def test_a_dockerfile_for_another_python_fails_its_gate():
    suggestion = i.rebuilt(i.service(), i.TRADITIONAL.replace("python:3.11", "python:3.9"))
    assert i.failed(suggestion) == ["Dockerfile fits the image"]


def test_a_dockerfile_whose_image_cannot_run_fails_its_gate():
    dockerfile = (
        "FROM python:3.11 AS build\nCOPY . /app\nRUN pip install -r /app/requirements.txt\n"
        "FROM python:3.11-slim\nCOPY --from=build /app /app\nCMD python /app/manage.py runserver\n"
    )
    suggestion = i.rebuilt(i.service(), dockerfile)
    (gate,) = [gate for gate in suggestion.gates if gate.name == "Dockerfile fits the image"]
    assert not gate.passed
    assert "Line 3: what pip installs stays in the stage build: the dependencies are not copied" in gate.detail


def test_root_stays_root_where_a_low_port_is_exposed():
    suggestion = i.rebuilt(i.service(config=replace(i.CONFIG, exposed_ports=("80/tcp",))))
    assert "65532" not in suggestion.dockerfile
    assert any("port below 1024" in note for note in suggestion.notes)


def test_a_shell_form_that_needs_its_shell_keeps_it():
    loaded = i.service(config=replace(i.CONFIG, cmd=("/bin/sh", "-c", "cd /app && python manage.py serve $PORT")))
    assert 'CMD ["/bin/sh", "-c", "cd /app && python manage.py serve $PORT"]' in i.rebuilt(loaded).dockerfile


def test_a_shell_form_entry_point_still_ignores_the_command():
    config = replace(i.CONFIG, entrypoint=("/bin/sh", "-c", "python /app/manage.py serve"), cmd=("ignored",))
    text = i.rebuilt(i.service(config=config)).dockerfile
    assert 'ENTRYPOINT ["python", "/app/manage.py", "serve"]' in text
    assert "ignored" not in text


def test_a_changed_user_gets_the_environment_and_the_stage_ends_as_that_user():
    dockerfile = i.TRADITIONAL.replace("RUN pip", "USER web\nRUN pip")
    build = i.rebuilt(i.service(), dockerfile).dockerfile.rpartition("FROM ")[0]
    assert "RUN python -m venv /opt/venv && chown -R web /opt/venv" in build
    users = [line for line in build.splitlines() if line.startswith("USER")]
    assert users == ["USER web", "USER root", "USER web", "USER root", "USER web"]


def test_windows_dockerfiles_are_refused():
    with pytest.raises(NothingToSuggest, match="Windows"):
        i.rebuilt(i.service(), "# escape=`\nFROM python:3.11\n")


def test_a_broken_dockerfile_names_its_line():
    with pytest.raises(InvalidDockerfile, match="Line 2"):
        i.rebuilt(i.service(), "FROM python:3.11\nINSTALL django\n")


def test_an_outline_names_the_files_that_layers_hold():
    text = outline(i.service())
    assert text.splitlines() == [
        "FROM python:3.11",
        "WORKDIR /app",
        "COPY requirements.txt /app/",
        "RUN pip install -r requirements.txt",
        "COPY . /app",
    ]


def test_an_outline_of_buildkits_history_knows_its_sources():
    steps = (
        ("WORKDIR /app", {"app": None}),
        ("COPY requirements.txt ./ # buildkit", {"app/requirements.txt": b"django\n"}),
        ("RUN |1 TOKEN=hunter2 /bin/sh -c pip install -r requirements.txt # buildkit", i.DJANGO),
        ("COPY --chown=1:1 . . # buildkit", i.APP),
    )
    suggestion = i.rebuilt(i.service(steps=steps), None)
    assert "COPY requirements.txt ./\n" in suggestion.dockerfile
    assert "COPY --chown=1:1 . .\n" in suggestion.dockerfile
    assert "hunter2" not in suggestion.dockerfile
    assert i.failed(suggestion) == []


@pytest.mark.parametrize(
    "step",
    [
        "/bin/sh -c pip install --token=hunter2 x",
        "RUN /bin/sh -c set -e\npip install x # buildkit",
        "COPY /build /app # buildkit",
    ],
)
def test_steps_that_history_does_not_keep_whole_fail_the_gate(step):
    suggestion = i.rebuilt(i.service((step, {"app/x": 10})), None)
    assert "sources are known" in i.failed(suggestion)
    assert "hunter2" not in suggestion.dockerfile


def test_history_cannot_smuggle_instructions_in():
    evil = HistoryEntry("WORKDIR /app\nRUN evil", empty_layer=True)
    loaded = i.service()
    text = outline(replace(loaded, config=replace(loaded.config, history=(*loaded.config.history, evil))))
    assert [stage.base for stage in parse_dockerfile(text).stages] == ["python:3.11"]
    assert not any(line.startswith("RUN evil") for line in text.splitlines())


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (b'#!/bin/sh\nmkdir -p /tmp/x\nexec "$@"\n', ""),
        (b'#!/bin/sh\nchown -R app /data && exec "$@"\n', "calls chown"),
        (b'#!/bin/sh\nexec su app -c "$@"\n', "calls su"),
        (None, "is not known"),
    ],
)
def test_an_entry_script_that_only_root_may_run_keeps_root(script, reason):
    config = replace(i.CONFIG, entrypoint=("/app/entrypoint.sh",), cmd=("python", "/app/manage.py"))
    loaded = i.service(("COPY entrypoint.sh /app", {"app/entrypoint.sh": "#!/bin/sh"}), config=config)
    if script is not None:
        texts = {**loaded.tree.texts, "app/entrypoint.sh": script}
        loaded = replace(loaded, tree=replace(loaded.tree, texts=texts))
    text = i.rebuilt(loaded, i.TRADITIONAL.replace("CMD", 'ENTRYPOINT ["/app/entrypoint.sh"]\nCMD'))
    assert ("USER 65532:65532" in text.dockerfile) == (reason == "")
    assert reason in " ".join(text.notes)
