import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.oci.manifest import Platform
from fleet.sample.build import Document
from fleet.sample.index import BuiltIndex, attested, build_index
from fleet.sample.registry import Request, Response
from tests.commands.conftest import HOSTILE, Outcome
from tests.fakes.pushable import BASE, PushableRegistry, image
from tests.servers import REPOSITORY_ROOT, wait_until

Run = Callable[..., Outcome]


def test_json_has_the_keys_that_programs_rely_on(registry: PushableRegistry, run: Run) -> None:
    reference = f"{registry.address}/team/app:1.0"
    outcome = run("inspect", reference, "--json")
    told = json.loads(outcome.out)
    assert (outcome.status, outcome.err) == (0, "")
    assert told["reference"] == reference
    assert told["digest"].startswith("sha256:")
    assert told["platform"] == "linux/amd64"
    assert told["created"] == "2024-01-02T12:00:00+00:00"
    assert set(told["layers"][0]) >= {
        "digest", "diff_id", "media_type", "compressed_bytes", "unpacked_bytes", "entries", "created_by", "base",
    }  # fmt: skip
    assert [layer["base"] for layer in told["layers"]] == [False, False]
    assert told["base"] == {"layers": 0, "source": "", "name": ""}
    assert told["layers"][1]["created_by"] == "RUN step 1"
    assert told["runtime"]["name"] == "python"
    assert told["runtime"]["version"] == "3.11.9"
    assert all(set(package) >= {"ecosystem", "name", "version", "bytes"} for package in told["packages"])
    (finding,) = told["findings"]
    assert (finding["rule"], finding["layer"], finding["unpacked_bytes"]) == ("package-manager-cache", 1, 20_000)
    assert finding["paths"] == ["/var/cache/apt/archives/gcc.deb"]
    assert finding["title"]
    assert told["reclaimable"] == {
        "unpacked_bytes": 20_000,
        "compressed_bytes": finding["compressed_bytes"],
    }


def test_observations_are_told_to_programs_and_to_people(registry: PushableRegistry, run: Run) -> None:
    reference = f"{registry.address}/team/app:1.0"
    told = {each["name"]: each for each in json.loads(run("inspect", reference, "--json").out)["observations"]}
    assert set(told["runs-as-root"]) == {"name", "severity", "title", "detail", "advice", "on"}
    assert told["runs-as-root"]["severity"] == "warning"
    assert "warning  Runs as root: The image names no user." in run("inspect", reference).out


def test_the_base_is_named_with_how_it_is_known(run: Run) -> None:
    label = {"org.opencontainers.image.base.name": "docker.io/library/python:3.12"}
    with PushableRegistry({"team/app": {"1.0": image(labels=label)}}) as registry:
        reference = f"{registry.address}/team/app:1.0"
        assert json.loads(run("inspect", reference, "--json").out)["base"]["name"] == "docker.io/library/python:3.12"
        assert "base docker.io/library/python:3.12: layers unknown" in run("inspect", reference).out


def test_sizes_are_what_the_registry_stores_and_the_files_weigh(registry: PushableRegistry, run: Run) -> None:
    told = json.loads(run("inspect", f"{registry.address}/team/app:1.0", "--json").out)
    answer = registry.answer(Request("GET", f"/v2/team/app/manifests/{told['digest']}", {}, {}))
    manifest = json.loads(b"".join(answer.body))
    stored = [manifest["config"], *manifest["layers"]]
    assert told["compressed_bytes"] == sum(descriptor["size"] for descriptor in stored)
    assert told["unpacked_bytes"] == sum(layer["unpacked_bytes"] for layer in told["layers"])


def test_people_get_a_report_in_decimal_megabytes(registry: PushableRegistry, run: Run) -> None:
    outcome = run("inspect", f"{registry.address}/team/app:1.0")
    assert outcome.status == 0
    for text in ("python 3.11.9", "Package lists and archives", "/var/cache/apt/archives/gcc.deb", "20.0 kB"):
        assert text in outcome.out


def test_nothing_in_an_image_drives_the_terminal_or_leaks(registry: PushableRegistry, run: Run) -> None:
    for extra in ((), ("--json",)):
        outcome = run("inspect", f"{registry.address}/team/hostile:1.0", *extra)
        assert outcome.status == 0
        assert not set(HOSTILE) & set("\x1b\x07") & set(outcome.out + outcome.err)
        assert "hunter2" not in outcome.out
        assert "TOKEN=" in outcome.out


@pytest.mark.parametrize(
    ("reference", "part"),
    [
        ("Not A Reference", "reference"),
        ("{registry}/team/app:2.0", "2.0"),
        ("{registry}/team/nobody:1.0", "nobody"),
        ("{registry}/team/broken:1.0", "sha256:"),
        ("{registry}/team/chart:1.0", "chart"),
        ("{registry}/team/html:1.0", ""),
        ("127.0.0.1:1/team/app:1.0", "127.0.0.1:1"),
        ("oci:/does/not/exist", "/does/not/exist"),
        ("docker-archive:/does/not/exist", "/does/not/exist"),
        ("oci-archive:/does/not/exist", "/does/not/exist"),
        ("containers-storage:app:1.0", "podman save"),
        ("podman:app:1.0", "podman save"),
        ("sif:app.sif", "Singularity"),
        ("dir:/does/not/exist", "skopeo copy"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_and_status_2(
    reference: str, part: str, registry: PushableRegistry, run: Run
) -> None:
    registry.replies["/v2/team/html/manifests/1.0"] = Response(
        200, {"Content-Type": "text/html"}, (b"<html>sign in</html>",), 20
    )
    outcome = run("inspect", reference.format(registry=registry.address), "--json")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
    assert part in outcome.err
    assert outcome.err.rstrip().endswith(".")


def test_a_platform_that_does_not_parse_is_refused(registry: PushableRegistry, run: Run) -> None:
    outcome = run("inspect", f"{registry.address}/team/app:1.0", "--platform", "amiga")
    assert outcome.status == 2
    assert "amiga" in outcome.err


def _weights(registry: PushableRegistry, name: str) -> dict[str, int]:
    """Config and layers by digest, as the registry has them."""
    answer = registry.answer(Request("GET", f"/v2/{name}", {}, {}))
    manifest = json.loads(b"".join(answer.body))
    return {blob["digest"]: blob["size"] for blob in (manifest["config"], *manifest["layers"])}


@pytest.fixture
def multi(registry: PushableRegistry) -> str:
    """Two platforms that share a base, and an attestation of one of them."""
    images = {Platform.parse(name): image(app=name.encode(), platform=name) for name in ("linux/amd64", "linux/arm64")}
    amd64 = next(iter(images.values()))
    plain, evidence = build_index(images), attested(amd64, Platform("linux", "amd64"))
    rows = [*json.loads(plain.document.body)["manifests"], json.loads(evidence.document.body)["manifests"][1]]
    body = json.dumps({"schemaVersion": 2, "mediaType": plain.document.media_type, "manifests": rows}).encode()
    document = Document(plain.document.media_type, body)
    registry.push("team/multi", "1.0", BuiltIndex(document, (*images.values(), *evidence.members[1:])))
    return f"{registry.address}/team/multi:1.0"


def test_the_sum_over_platforms_counts_shared_blobs_once_and_reads_no_layer(
    registry: PushableRegistry, multi: str, run: Run
) -> None:
    registry.forget_requests()
    outcome = run("inspect", multi, "--platform", "all", "--json")
    told = json.loads(outcome.out)
    assert (outcome.status, outcome.err, told["reference"]) == (0, "", multi)
    assert [each["platform"] for each in told["platforms"]] == ["linux/amd64", "linux/arm64"]
    blobs = [_weights(registry, f"team/multi/manifests/{each['digest']}") for each in told["platforms"]]
    assert [each["compressed_bytes"] for each in told["platforms"]] == [sum(each.values()) for each in blobs]
    assert told["compressed_bytes"] == sum((blobs[0] | blobs[1]).values())
    assert told["shared_bytes"] == BASE.size_bytes
    assert (told["attestations"], told["artifacts"], told["missing"], told["unpacked_bytes"]) == (1, 0, [], None)
    assert not registry.asked("GET", "/blobs/")


def test_people_see_each_platform_and_the_sum(multi: str, run: Run) -> None:
    outcome = run("inspect", multi, "--platform", "all")
    assert outcome.status == 0
    for text in ("linux/amd64", "linux/arm64", "all together", "not read", "attestations, 1 in number"):
        assert text in outcome.out


def test_an_image_of_one_platform_is_its_own_sum(registry: PushableRegistry, run: Run) -> None:
    told = json.loads(run("inspect", f"{registry.address}/team/app:1.0", "--platform", "all", "--json").out)
    assert [each["platform"] for each in told["platforms"]] == ["linux/amd64"]
    assert told["platforms"][0]["compressed_bytes"] == told["compressed_bytes"]
    assert told["shared_bytes"] == 0


@pytest.mark.parametrize("extra", [(), ("--json",)])
def test_an_artifact_has_no_platforms(registry: PushableRegistry, run: Run, extra: tuple[str, ...]) -> None:
    outcome = run("inspect", f"{registry.address}/team/chart:1.0", "--platform", "all", *extra)
    assert (outcome.status, outcome.out) == (2, "")
    assert "is a Helm chart, not a container image" in outcome.err


def test_an_image_for_another_platform_is_not_taken_for_the_wanted_one(registry: PushableRegistry, run: Run) -> None:
    registry.push("team/arm", "1.0", image(platform="linux/arm64"))
    outcome = run("inspect", f"{registry.address}/team/arm:1.0")
    assert outcome.status == 2
    assert "is an image for linux/arm64, not for linux/amd64" in outcome.err
    assert run("inspect", f"{registry.address}/team/arm:1.0", "--platform", "linux/arm64").status == 0


def test_it_runs_without_any_database_and_writes_only_its_report(registry: PushableRegistry, tmp_path: Path) -> None:
    environment = {**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "PLIMSOLL_VAR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "manage.py", "inspect", f"{registry.address}/team/app:1.0", "--json"],
        cwd=REPOSITORY_ROOT,
        env=environment,
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["runtime"]["name"] == "python"


def test_a_fault_of_ours_is_not_taken_for_nothing_to_suggest(
    registry: PushableRegistry, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("fleet.management.commands.inspect.analyse")
    assert run("inspect", f"{registry.address}/team/app:1.0").status == 70


def test_an_interrupt_ends_it_quietly(registry: PushableRegistry) -> None:
    over = threading.Event()
    asked = "/v2/team/slow/manifests/1.0"
    registry.replies[asked] = Response(200, {"Content-Type": "text/html"}, (b" " for _ in "x" if over.wait(60)), 1)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "inspect", f"{registry.address}/team/slow:1.0"],
        cwd=REPOSITORY_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        wait_until(lambda: asked in registry.asked("GET") or process.poll() is not None, "it asks for the manifest")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        over.set()
        process.kill()
    assert (process.returncode, out, err) == (130, b"", b"")
