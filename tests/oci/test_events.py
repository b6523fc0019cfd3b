"""Push events: the shapes that the senders document, what is left out of them, and what is refused."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from fleet.oci.errors import InvalidResponse, RegistryError, TooLarge
from fleet.oci.events import BODY_LIMIT_BYTES, Pushed, pushed
from fleet.oci.media_types import DOCKER_INDEX, DOCKER_LAYER_GZIP, DOCKER_MANIFEST, OCI_MANIFEST, SCHEMA1_SIGNED

DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
DISTRIBUTION = "application/vnd.docker.distribution.events.v2+json"
CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENTS = "application/cloudevents-batch+json"


def read(body: object, content_type: str = "application/json", **headers: str) -> tuple[Pushed, ...]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return pushed(json.dumps(body).encode(), content_type, named)


def distribution(
    action: str = "push",
    media_type: str = DOCKER_MANIFEST,
    repository: str = "team/app",
    digest: str = DIGEST,
    **target: Any,
) -> dict[str, Any]:
    url = f"http://registry.example.com/v2/{repository}/manifests/{digest}"
    return {
        "id": "320678d8-ca14-430f-8bb6-4ca139cd83f7",
        "timestamp": "2026-03-09T14:44:26.402973972-08:00",
        "action": action,
        "target": {
            "mediaType": media_type,
            "size": 708,
            "length": 708,
            "digest": digest,
            "repository": repository,
            "url": url,
            **target,
        },
        "request": {"id": "6df24a34", "addr": "10.0.0.3:39034", "host": "registry.example.com", "method": "PUT"},
        "actor": {},
        "source": {"addr": "registry:5000", "instanceID": "a53db899"},
    }


def harbor(kind: str = "PUSH_ARTIFACT", tags: tuple[str, ...] = ("1.4",)) -> dict[str, Any]:
    return {"type": kind, "occur_at": 1780501893, "operator": "robot$ci", "event_data": harbor_data(tags)}


def harbor_data(tags: tuple[str, ...] = ("1.4",)) -> dict[str, Any]:
    return {
        "resources": [
            {"digest": DIGEST, "tag": tag, "resource_url": f"harbor.example.com/shop/web:{tag}"} for tag in tags
        ],
        "repository": {
            "date_created": 1780501893,
            "name": "web",
            "namespace": "shop",
            "repo_full_name": "shop/web",
            "repo_type": "private",
        },
    }


def cloud_event(kind: str, data: object) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "66e18103-09c1-41f6-982f-37df223f3eeb",
        "source": "/projects/2/webhook/policies/15",
        "type": kind,
        "datacontenttype": "application/json",
        "time": "2026-04-03T06:04:46Z",
        "data": data,
    }


def docker_hub(**repository: Any) -> dict[str, Any]:
    named = {"name": "web", "namespace": "shop", "owner": "shop", "repo_name": "shop/web", "is_private": True}
    return {
        "callback_url": "https://registry.hub.docker.com/u/shop/web/hook/2141b5/",
        "push_data": {"pushed_at": 1780501893, "pusher": "ci", "tag": "1.4", "images": []},
        "repository": {**named, "repo_url": "https://registry.hub.docker.com/v2/repositories/shop/web", **repository},
    }


def quay(**more: Any) -> dict[str, Any]:
    return {
        "name": "web",
        "repository": "shop/web",
        "namespace": "shop",
        "docker_url": "quay.io/shop/web",
        "homepage": "https://quay.io/repository/shop/web",
        **more,
    }


def github(kind: str = "package", action: str = "published", **package: Any) -> dict[str, Any]:
    version = {
        "version": DIGEST,
        "container_metadata": {"tag": {"name": "1.4", "digest": DIGEST}, "labels": {}},
        "package_url": "ghcr.io/shop/web:1.4",
    }
    described = {"name": "web", "namespace": "Shop", "ecosystem": "CONTAINER", "package_type": "CONTAINER"}
    return {
        "action": action,
        kind: {**described, "package_version": version, **package},
        "repository": {"name": "source", "full_name": "Shop/source"},
    }


def ecr(action: str = "PUSH", result: str = "SUCCESS", **detail: str) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "13cde686-328b-6117-af20-0e5566167482",
        "detail-type": "ECR Image Action",
        "source": "aws.ecr",
        "account": "123456789012",
        "region": "eu-west-1",
        "resources": [],
        "detail": {
            "result": result,
            "repository-name": "shop/web",
            "image-digest": DIGEST,
            "action-type": action,
            "image-tag": "1.4",
            **detail,
        },
    }


WEB = Pushed("shop/web", "1.4", DIGEST)


class TestDistribution:
    def test_manifests_are_kept_and_layers_left_out(self) -> None:
        envelope = {
            "events": [
                distribution(media_type="application/octet-stream", digest=OTHER),
                distribution(media_type=DOCKER_LAYER_GZIP, digest=OTHER),
                distribution(tag="1.4"),
                distribution(repository="team/other", media_type=OCI_MANIFEST, digest=OTHER),
            ]
        }
        assert read(envelope, DISTRIBUTION) == (
            Pushed("team/app", "1.4", DIGEST),
            Pushed("team/other", None, OTHER),
        )

    @pytest.mark.parametrize("media_type", [DOCKER_INDEX, SCHEMA1_SIGNED, f"{OCI_MANIFEST}; charset=utf-8"])
    def test_every_kind_of_manifest_counts(self, media_type: str) -> None:
        assert read({"events": [distribution(media_type=media_type)]}, DISTRIBUTION)

    @pytest.mark.parametrize("action", ["pull", "delete", "mount"])
    def test_other_actions_are_nothing(self, action: str) -> None:
        assert read({"events": [distribution(action)]}, DISTRIBUTION) == ()

    def test_an_event_on_its_own_is_what_azure_sends(self) -> None:
        assert read(distribution(tag="1.4")) == (Pushed("team/app", "1.4", DIGEST),)

    def test_an_event_that_is_odd_does_not_hide_the_others(self) -> None:
        odd = [None, 3, {"action": "push"}, {"action": "push", "target": {"mediaType": 7}}]
        assert len(read({"events": [*odd, distribution()]}, DISTRIBUTION)) == 1


class TestHarbor:
    def test_default_format(self) -> None:
        assert read(harbor()) == (WEB,)

    def test_each_tag_is_told(self) -> None:
        assert [push.tag for push in read(harbor(tags=("1.4", "latest")))] == ["1.4", "latest"]

    def test_without_a_tag_the_digest_stands_in_for_it(self) -> None:
        assert read(harbor(tags=(DIGEST,))) == (Pushed("shop/web", None, DIGEST),)

    def test_cloud_events_format(self) -> None:
        assert read(cloud_event("harbor.artifact.pushed", harbor_data()), CLOUD_EVENT) == (WEB,)

    @pytest.mark.parametrize("kind", ["DELETE_ARTIFACT", "PULL_ARTIFACT", "SCANNING_COMPLETED", "QUOTA_WARNING"])
    def test_other_events_are_nothing(self, kind: str) -> None:
        assert read(harbor(kind)) == ()

    @pytest.mark.parametrize("kind", ["harbor.artifact.deleted", "harbor.artifact.pulled", "harbor.scan.completed"])
    def test_other_cloud_events_are_nothing(self, kind: str) -> None:
        assert read(cloud_event(kind, harbor_data()), CLOUD_EVENT) == ()


class TestDockerHub:
    def test_the_repository_is_named_with_its_user(self) -> None:
        assert read(docker_hub()) == (Pushed("shop/web", "1.4"),)

    def test_without_the_full_name_it_is_put_together(self) -> None:
        assert read(docker_hub(repo_name=None)) == (Pushed("shop/web", "1.4"),)


class TestQuay:
    def test_every_updated_tag_is_told(self) -> None:
        assert read(quay(updated_tags=["1.4", "latest"])) == (Pushed("shop/web", "1.4"), Pushed("shop/web", "latest"))

    def test_tags_may_be_mapped_to_images(self) -> None:
        assert read(quay(updated_tags={"1.4": "b750fe79"})) == (Pushed("shop/web", "1.4"),)

    @pytest.mark.parametrize(
        "more", [{"build_id": "296ec063", "docker_tags": ["1.4"]}, {"vulnerability": {}, "tags": ["1.4"]}]
    )
    def test_builds_and_scans_are_nothing(self, more: dict[str, Any]) -> None:
        assert read(quay(**more)) == ()


class TestGitHub:
    @pytest.mark.parametrize("kind", ["package", "registry_package"])
    @pytest.mark.parametrize("action", ["published", "updated"])
    def test_both_events_and_both_actions(self, kind: str, action: str) -> None:
        assert read(github(kind, action), X_GitHub_Event=kind) == (WEB,)

    def test_the_name_of_the_header_has_no_case(self) -> None:
        assert read(github(), x_github_event="package") == (WEB,)

    @pytest.mark.parametrize("address", ["", "ghcr.io/"])
    def test_without_an_address_owner_and_name_are_put_together(self, address: str) -> None:
        version = {"package_url": address, "container_metadata": {"tag": {"name": "1.4", "digest": DIGEST}}}
        assert read(github(package_version=version), X_GitHub_Event="package") == (WEB,)

    def test_a_push_without_a_tag(self) -> None:
        version = {"package_url": "ghcr.io/shop/deep/web:", "container_metadata": {"tag": {"name": "", "digest": ""}}}
        assert read(github(package_version=version), X_GitHub_Event="package") == (Pushed("shop/deep/web"),)

    def test_packages_that_are_no_images_are_nothing(self) -> None:
        assert read(github(package_type="npm"), X_GitHub_Event="package") == ()

    def test_deletes_and_other_events_are_nothing(self) -> None:
        assert read(github(action="deleted"), X_GitHub_Event="package") == ()
        assert read({"zen": "Keep it logically awesome.", "hook_id": 1}, X_GitHub_Event="ping") == ()
        assert read({"ref": "refs/heads/main", "repository": {"name": "web"}}, X_GitHub_Event="push") == ()

    def test_a_form_says_how_to_set_the_webhook(self) -> None:
        with pytest.raises(InvalidResponse, match="application/json"):
            pushed(b"payload=%7B%7D", "application/x-www-form-urlencoded", {"X-GitHub-Event": "package"})


class TestElasticContainerRegistry:
    def test_a_push(self) -> None:
        assert read(ecr()) == (WEB,)

    @pytest.mark.parametrize(("action", "result"), [("DELETE", "SUCCESS"), ("PUSH", "FAILURE")])
    def test_deletes_and_failures_are_nothing(self, action: str, result: str) -> None:
        assert read(ecr(action, result)) == ()

    def test_a_scan_is_nothing(self) -> None:
        scan = {"source": "aws.ecr", "detail-type": "ECR Image Scan", "detail": {"scan-status": "COMPLETE"}}
        assert read(scan) == ()


class TestCloudEvents:
    DATA = {"repository": "shop/web", "tag": "1.4", "digest": DIGEST}

    def test_structured(self) -> None:
        event = cloud_event("com.example.image.published", self.DATA)
        assert read(event, f"{CLOUD_EVENT}; charset=utf-8") == (WEB,)
        assert read(event) == (WEB,)

    def test_binary(self) -> None:
        headers = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/x", "ce_type": "com.example.image.published"}
        assert read(self.DATA, **headers) == (WEB,)
        assert read(self.DATA, **(headers | {"ce_type": "com.example.image.deleted"})) == ()
        assert read(harbor_data(), **(headers | {"ce_type": "harbor%2Eartifact%2Epushed"})) == (WEB,)

    def test_batch(self) -> None:
        events = [
            cloud_event("com.example.image.pushed", self.DATA),
            cloud_event("com.example.image.deleted", {"repository": "shop/old"}),
            cloud_event("harbor.artifact.pushed", harbor_data()),
        ]
        assert read(events, CLOUD_EVENTS) == (WEB, WEB)
        assert read([], CLOUD_EVENTS) == ()

    def test_azure_event_grid(self) -> None:
        event = cloud_event("Microsoft.ContainerRegistry.ImagePushed", distribution(tag="1.4"))
        assert read(event, CLOUD_EVENT) == (Pushed("team/app", "1.4", DIGEST),)

    def test_data_without_a_repository_says_what_is_missing(self) -> None:
        with pytest.raises(InvalidResponse, match="names no repository"):
            read(cloud_event("image.pushed", {"image": "shop/web"}), CLOUD_EVENT)

    @pytest.mark.parametrize("left_out", ["type", "specversion"])
    def test_an_event_without_what_makes_it_one(self, left_out: str) -> None:
        event = cloud_event("image.pushed", self.DATA)
        del event[left_out]
        with pytest.raises(InvalidResponse):
            read(event, CLOUD_EVENT)


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"hello": "world"},
            {"events": "none"},
            [],
            [distribution()],
            "text",
            None,
            {"repository": {"repo_name": "shop/web"}},
        ],
    )
    def test_what_is_no_event_is_told_so(self, body: object) -> None:
        with pytest.raises(InvalidResponse, match="no push event that is known"):
            read(body)

    @pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe\x00", b'{"events": [', b"[" * 200_000, b"9" * 5_000])
    def test_what_is_no_json_is_told_so(self, body: bytes) -> None:
        with pytest.raises(InvalidResponse):
            pushed(body, "application/json", {})

    def test_a_body_has_a_limit(self) -> None:
        fitting = json.dumps(harbor()).encode().ljust(BODY_LIMIT_BYTES)
        assert pushed(fitting, "application/json", {}) == (WEB,)
        with pytest.raises(TooLarge):
            pushed(fitting + b" ", "application/json", {})

    def test_the_number_of_events_has_a_limit(self) -> None:
        target = {"repository": "a", "mediaType": OCI_MANIFEST}
        event = {"action": "push", "target": target}
        assert len(read({"events": [event] * 1000})) == 1000
        for body, content_type in (
            ({"events": [event] * 1001}, DISTRIBUTION),
            ([cloud_event("pushed", {"repository": "a"})] * 1001, CLOUD_EVENTS),
            (quay(updated_tags=["a"] * 1001), "application/json"),
            (harbor(tags=("a",) * 1001), "application/json"),
        ):
            with pytest.raises(TooLarge):
                read(body, content_type)

    @pytest.mark.parametrize(
        "name", ["", "Team/App", "../../etc", "team/app:1.0", "team//app", "/team", "a" * 256, "te\0am", "https://x/y"]
    )
    def test_names_that_no_registry_allows_are_dropped(self, name: str) -> None:
        assert read({"events": [distribution(repository=name), distribution()]}) == (Pushed("team/app", None, DIGEST),)

    def test_tags_and_digests_that_are_none_are_left_out(self) -> None:
        assert read(distribution(tag="a b", digest="md5:1")) == (Pushed("team/app"),)

    def test_whatever_is_sent_ends_in_pushes_or_in_a_sentence(self) -> None:
        """Documents in which parts of known events stand where others are expected, and bytes that were flipped."""
        chance = random.Random(20260309)
        bodies: list[Any] = [
            {"events": [distribution()]},
            harbor(),
            docker_hub(),
            quay(updated_tags=["1"]),
            github(),
            ecr(),
        ]
        bodies += [cloud_event("pushed", harbor_data()), [cloud_event("pushed", TestCloudEvents.DATA)]]
        odd = [None, True, -1, 1e308, "", "x" * 300, [], {}, [[]], {"a": {}}, "\ud800", *bodies]
        headers: list[dict[str, str]] = [
            {},
            {"X-GitHub-Event": "package"},
            {"ce-specversion": "1.0", "ce-type": "push"},
        ]
        outcomes: set[type] = set()
        sentences = set()
        for _ in range(3000):
            text = bytearray(json.dumps(_changed(chance.choice(bodies), odd, chance)).encode())
            if chance.random() < 0.1:
                text[chance.randrange(len(text))] = chance.randrange(256)
            kind = chance.choice(["", "application/json", DISTRIBUTION, CLOUD_EVENT, CLOUD_EVENTS])
            try:
                outcomes.update(type(push) for push in pushed(bytes(text), kind, chance.choice(headers)))
            except RegistryError as error:
                sentences.add(str(error))
                outcomes.add(type(error))
        assert {Pushed, InvalidResponse} <= outcomes
        assert all(sentence.endswith(".") for sentence in sentences)


def _changed(value: Any, odd: list[Any], chance: random.Random) -> Any:
    if chance.random() < 0.08:
        return chance.choice(odd)
    if isinstance(value, dict):
        return {name: _changed(each, odd, chance) for name, each in value.items() if chance.random() > 0.02}
    if isinstance(value, list):
        return [_changed(each, odd, chance) for each in value]
    return value
