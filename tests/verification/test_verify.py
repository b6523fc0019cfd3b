"""Candidates built and run on a real engine: those that do what the original does, and those that do not."""

from __future__ import annotations

import gzip
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from fleet.verification.probing import Probe, make_probe
from tests.verification.parts import (
    BRIEF,
    BUSYBOX,
    SERVE,
    Images,
    busybox,
    command,
    copied,
    dynamic_program,
    run,
    scripted,
    shell,
)

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("clean")]


def test_a_good_candidate_is_verified_with_the_sizes_it_really_has(server: str, engine: docker.DockerClient) -> None:
    dockerfile = copied(server, [BUSYBOX, "www/index.html"], command(SERVE))
    outcome = run(dockerfile, server)
    assert (outcome.verdict, outcome.cause) == ("verified", ""), outcome.reasons
    assert outcome.reasons[0] == "Both answer / on port 8080 with status 200 and text/html, the same first lines."
    assert (outcome.probe.kind, outcome.probe.port) == ("http", 8080)
    assert outcome.read_only
    assert outcome.candidate
    assert outcome.candidate.answer
    assert outcome.candidate.answer.lines == ("<h1>Shop</h1>",)
    assert "COPY --from=original" in outcome.log
    unpacked_bytes, compressed_bytes = _weighed(engine, dockerfile)
    assert outcome.measured
    assert outcome.measured.unpacked_bytes == unpacked_bytes == len(busybox()) + len(b"<h1>Shop</h1>\n")
    assert 0 < outcome.measured.compressed_bytes - compressed_bytes < 3_000, "all but the config"


def _weighed(engine: docker.DockerClient, dockerfile: str) -> tuple[int, int]:
    """The layers of what ``docker build`` and ``docker save`` make of it, counted by tarfile and gzip."""
    tag = "plimsoll-tested-weighed:1"
    image, _ = engine.images.build(fileobj=io.BytesIO(dockerfile.encode()), rm=True, tag=tag)
    unpacked = compressed = 0
    with tarfile.open(fileobj=io.BytesIO(b"".join(image.save()))) as saved:
        for name in (name for name in saved.getnames() if name.endswith("layer.tar")):
            content = saved.extractfile(name).read()  # type: ignore[union-attr]
            compressed += len(gzip.compress(content, 6))
            with tarfile.open(fileobj=io.BytesIO(content)) as layer:
                unpacked += sum(member.size for member in layer if member.isfile())
    engine.images.remove(tag)
    return unpacked, compressed


def test_a_missing_library_fails_with_its_name(images: Images) -> None:
    files = dynamic_program()
    original = images.add("dynamic", files, 'CMD ["/usr/bin/ls", "/usr/bin"]')
    library = next(path for path in files if "libselinux" in path or "libpcre" in path)
    kept = [path for path in files if path != library]
    outcome = run(copied(original, kept, 'CMD ["/usr/bin/ls", "/usr/bin"]'), original)
    assert (outcome.verdict, outcome.cause) == ("failed", "library-missing"), outcome.reasons
    assert "exit code 127, where the original ends with exit code 0" in outcome.reasons[0]
    assert Path(library).name in outcome.reasons[1]
    assert outcome.measured


def test_an_original_that_looks_for_a_database_proves_nothing(images: Images) -> None:
    script = "echo connecting; nc db 5432 </dev/null"
    original = images.add("database", {}, shell(script))
    outcome = run(copied(original, [BUSYBOX], shell(script)), original)
    assert (outcome.verdict, outcome.cause) == ("inconclusive", "original-network"), outcome.reasons
    assert outcome.reasons[0].startswith("The original itself ends with exit code 1")
    assert outcome.candidate is None
    assert outcome.measured, "it was built all the same"


def test_a_command_that_is_not_there_fails_with_what_the_engine_says(server: str) -> None:
    outcome = run(copied(server, [BUSYBOX, "www/index.html"], 'CMD ["/bin/sh", "-c", "httpd"]'), server)
    assert (outcome.verdict, outcome.cause) == ("failed", "program-missing")
    assert outcome.reasons[0].startswith('The candidate does not start: exec: "/bin/sh"')


def test_a_dockerfile_that_does_not_build_fails(server: str) -> None:
    outcome = run(copied(server, ["not/there"], command(SERVE)), server)
    assert (outcome.verdict, outcome.cause) == ("failed", "file-missing")
    assert "does not build" in outcome.reasons[0]
    assert outcome.measured is None
    assert run("FORM scratch\n", server).cause == "build-failed"


def test_another_page_is_another_behaviour(server: str) -> None:
    context = copied(server, [BUSYBOX], 'RUN ["/bin/busybox", "sh", "-c", "mkdir /www; echo no > /www/index.html"]')
    outcome = run(context + command(SERVE) + "\n", server)
    assert (outcome.verdict, outcome.cause) == ("failed", "output-differs")
    assert "“no”" in outcome.reasons[0]


def test_a_candidate_that_gives_root_back_fails(images: Images) -> None:
    original = images.add("user", {"www/index.html": b"hello"}, command(SERVE), "EXPOSE 8080", "USER 1000")
    outcome = run(copied(original, [BUSYBOX, "www/index.html"], command(SERVE)), original)
    assert outcome.verdict == "failed"
    assert outcome.reasons[0] == "The candidate runs as root, where the original runs as 1000."


def test_a_port_that_nobody_named_is_found_and_one_without_http_is_connected_to(images: Images) -> None:
    quiet = images.add(
        "quiet", {"www/index.html": b"x"}, command(["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"])
    )
    outcome = run(f"FROM {quiet}\n", quiet)
    assert (outcome.verdict, outcome.probe.kind, outcome.probe.port) == ("verified", "http", 80)
    talker = images.add(
        "talker", {}, shell("while true; do nc -l -p 7000 -e /bin/busybox echo hi; done"), "EXPOSE 7000"
    )
    outcome = run(f"FROM {talker}\n", talker)
    assert (outcome.verdict, outcome.probe.kind) == ("verified", "tcp"), outcome


def test_an_answer_that_does_not_end_is_heard_all_the_same(images: Images) -> None:
    script = "while true; do (printf 'HTTP/1.1 200 OK\\r\\n\\r\\nhi'; sleep 60) | nc -l -p 7000; done"
    original = images.add("keeping", {}, shell(script))
    outcome = run(f"FROM {original}\n", original, make_probe(port=7000))
    assert (outcome.verdict, outcome.probe.kind) == ("verified", "http"), outcome
    assert outcome.candidate
    assert outcome.candidate.answer
    assert outcome.candidate.seconds < BRIEF.start_seconds


def test_an_image_that_names_a_port_and_listens_on_none_proves_nothing(images: Images) -> None:
    original = images.add("waiting", {}, shell("echo waiting for the database; sleep 100"))
    probe = Probe("auto", ports=(8080,))
    outcome = run(f"FROM {original}\n", original, probe, limits=replace(BRIEF, start_seconds=2.0))
    assert (outcome.verdict, outcome.cause) == ("inconclusive", "original-fails"), outcome
    assert "does not answer on port 8080" in outcome.reasons[0]


def test_a_path_a_port_and_variables_are_asked_as_a_person_says(images: Images) -> None:
    script = 'mkdir -p /tmp/w; echo "$GREETING" > /tmp/w/health; httpd -f -p "$PORT" -h /tmp/w'
    original = images.add("asked", {}, shell(script))
    environment = {"PORT": "9000", "GREETING": "a secret greeting"}
    probe = make_probe(path="/health", port=9000, environment=environment)
    outcome = run(f"FROM {original}\n", original, probe)
    assert (outcome.verdict, outcome.read_only) == ("verified", True), outcome
    assert "a secret greeting" not in str(outcome), "what a person sets is never shown"
    assert outcome.probe.as_json()["variables"] == ["GREETING", "PORT"]


def test_a_command_runs_in_place_of_what_the_image_starts(server: str) -> None:
    probe = make_probe(command="/bin/busybox sh -c 'echo hello; exit 0'")
    outcome = run(copied(server, [BUSYBOX], command(SERVE)), server, probe)
    assert outcome.verdict == "verified"
    assert outcome.original
    assert outcome.original.stdout == ("hello",)
    probe = make_probe(command="/bin/busybox cat /www/index.html")
    outcome = run(copied(server, [BUSYBOX], command(SERVE)), server, probe)
    assert outcome.verdict == "failed"
    assert outcome.cause == "file-missing"


def test_what_differs_in_every_run_is_no_difference(images: Images) -> None:
    script = "echo pid $$; date; cat /proc/sys/kernel/random/uuid; head -c 12 /dev/urandom | base64; echo steady"
    original = images.add("volatile", {})
    outcome = run(copied(original, [BUSYBOX]), original, scripted(script))
    assert outcome.verdict == "verified", outcome
    assert outcome.original
    assert outcome.candidate
    assert outcome.original.stdout != outcome.candidate.stdout


def test_an_original_that_writes_gets_a_root_to_write_to(images: Images) -> None:
    script = "echo data > /var.txt && httpd -f -p 8080 -h /"
    original = images.add("writer", {}, shell(script), "EXPOSE 8080")
    outcome = run(f"FROM {original}\n", original, make_probe(path="/var.txt", port=8080))
    assert (outcome.verdict, outcome.read_only) == ("verified", False)


def test_an_image_for_another_machine_is_not_tried(server: str) -> None:
    outcome = run(f"FROM {server}\n", server, platform="linux/s390x")
    assert (outcome.verdict, outcome.cause) == ("inconclusive", "other-platform")
    assert "linux/s390x" in outcome.reasons[0]


def test_an_image_that_cannot_be_had_is_named(server: str) -> None:
    outcome = run(f"FROM {server}\n", "127.0.0.1:1/team/app@sha256:" + "0" * 64)
    assert (outcome.verdict, outcome.cause) == ("inconclusive", "image-unavailable")
    assert "127.0.0.1:1/team/app" in outcome.reasons[0]
    outcome = run("FROM 127.0.0.1:1/team/base:1\n", server)
    assert (outcome.verdict, outcome.cause) == ("inconclusive", "image-unavailable")


def test_a_rebuild_is_built_in_its_context_and_no_secret_is_shown(server: str, tmp_path: Path) -> None:
    context = tmp_path / "checkout"
    (context / "site").mkdir(parents=True)
    (context / "site/index.html").write_text("<h1>Shop</h1>\n")
    (context / "site/large.bin").write_bytes(b"x" * 1_000_000)
    (context / ".dockerignore").write_text("**/*.bin\n")
    dockerfile = (
        f"FROM {server} AS build\n"
        'RUN ["/bin/busybox", "sh", "-c", "echo token=ghp_0123456789abcdefghij; echo PASSWORD=hunter2"]\n'
        f"FROM scratch\nCOPY --from=build /{BUSYBOX} /{BUSYBOX}\nCOPY site /www\n{command(SERVE)}\n"
    )
    outcome = run(dockerfile, server, context=str(context), local=True)
    assert outcome.verdict == "verified", outcome
    assert outcome.measured
    assert outcome.measured.unpacked_bytes == len(busybox()) + len("<h1>Shop</h1>\n"), "what is ignored is not there"
    assert "Step 2/" in outcome.log
    assert "ghp_0123" not in outcome.log
    assert "hunter2" not in outcome.log
    assert run(dockerfile, server, context=str(context), local=False).reasons[0].endswith("Name a git URL.")
