"""The images that a verification needs on its engine, pulled where they are missing and forgotten again."""

from __future__ import annotations

from collections.abc import Iterator

from docker import DockerClient

from fleet.dockerfile.parse import Dockerfile, parse_dockerfile
from fleet.oci.credentials import Credentials
from fleet.oci.errors import RegistryError
from fleet.oci.reference import DOCKER_HUB, Reference
from fleet.oci.wording import shown
from fleet.verification import relay
from fleet.verification.building import pull
from fleet.verification.cleanup import WITH_TAG, Mark
from fleet.verification.engine import Engine, Logins, Refused
from fleet.verification.watch import Deadline, Log, Watch

_NOTHING = "scratch"


class Unavailable(Exception):
    """The engine has not got an image, and cannot pull it. The message is a sentence."""


def import_relay(engine: Engine, mark: Mark) -> str:
    """The probe's own image; its name."""
    name = mark.name("relay")
    changes = ['ENTRYPOINT ["/relay"]', *(f'LABEL {key}="{value}"' for key, value in mark.labels.items())]
    content = relay.file_system(engine.architecture)
    repository, _, tag = name.rpartition(":")
    engine.ask(
        lambda client: client.api.import_image_from_data(content, repository=repository, tag=tag, changes=changes)
    )
    return name


class Shelf:
    """Images by the names that a Dockerfile and a service know them by."""

    def __init__(
        self, engine: Engine, mark: Mark, logins: Logins, *, deadline: Deadline, log: Log, watch: Watch
    ) -> None:
        self.logins: dict[str, Credentials] = {}
        self._engine = engine
        self._mark = mark
        self._login_of = logins
        self._deadline = deadline
        self._log = log
        self._watch = watch
        self._pulled = 0

    def bring(self, name: str) -> None:
        """Have an image on the engine. One that is pulled for it gets a name of ours, by which it is removed again.
        Raises Unavailable, TimeOver or RegistryError."""
        if self.holds(name):
            return
        login = self._login(name)
        self._watch.step(f"Pulling {shown(name)}")
        self._log.add(f"Pulling {name}")
        try:
            pull(self._engine, name, login, self._deadline, self._watch)
        except RegistryError as error:
            said = getattr(error, "said", "") or str(error)
            raise Unavailable(
                f"The engine has no {shown(name)} and cannot pull it: {said.rstrip('.')}. Check that it reaches the "
                "registry, and the registry's login."
            ) from error
        self._pulled += 1
        mine = self._mark.name(f"pulled{self._pulled}" if "@" in name else f"pulled{self._pulled}{WITH_TAG}")
        repository, _, tag = mine.rpartition(":")
        self._engine.ask(lambda client: client.api.tag(name, repository, tag, force=True))

    def holds(self, name: str) -> bool:
        def look(client: DockerClient) -> bool:
            client.api.inspect_image(name)
            return True

        try:
            return self._engine.ask(look)
        except Refused as refused:
            if refused.status != 404:
                raise
            return False

    def user(self, name: str) -> str:
        """The user that an image runs as, as its config says."""
        config = self._engine.ask(lambda client: client.api.inspect_image(name)).get("Config") or {}
        return shown(str(config.get("User") or ""))

    def _login(self, name: str) -> Credentials | None:
        """The login of an image's registry, which the builder gets too."""
        try:
            host = Reference.parse(name).registry
        except RegistryError:
            return None
        login = self._login_of(host)
        if login is not None:
            self.logins[host] = login
        return login


def bases_of(dockerfile: str) -> tuple[str, ...]:
    """The images that a Dockerfile takes from elsewhere, as far as the text tells. Raises InvalidDockerfile."""
    parsed = parse_dockerfile(dockerfile)
    return tuple(dict.fromkeys(_named(parsed)))


def _named(parsed: Dockerfile) -> Iterator[str]:
    stages: set[str] = set()
    for stage in parsed.stages:
        names = [stage.base]
        names += [found for one in stage.instructions if one.name == "COPY" and (found := one.flag("from"))]
        for name in names:
            outside = name.lower() not in stages and not name.isdigit() and name != _NOTHING
            if outside and "$" not in name and _is_reference(name):
                yield name
        if stage.name:
            stages.add(stage.name.lower())


def _is_reference(name: str) -> bool:
    try:
        return bool(Reference.parse(name).repository)
    except RegistryError:
        return False


__all__ = ["DOCKER_HUB", "Shelf", "Unavailable", "bases_of", "import_relay"]
