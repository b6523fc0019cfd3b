"""Java services."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from fleet.sample.plan import Plan, Recipe, chowned
from fleet.sample.services.service import Service
from fleet.sample.stacks.java import maven, maven_repository, maven_target, openjdk_image, spring_jar
from fleet.sample.stacks.project import git_history
from fleet.sample.story import Release
from fleet.sample.tar import File
from fleet.sample.trees import text, tree


def ledger(release: Release, base: datetime) -> Plan:
    """The jar twice: once copied, once with another owner."""
    plan = openjdk_image(base).at(release.moment, "classic")
    arguments = ("opt/ledger/app.jar", "ledger", release.version, 27_000_000 + 450_000 * release.number, release.number)
    plan = plan.copy("target/ledger.jar", "/opt/ledger/app.jar", spring_jar, *arguments)
    plan = plan.run("chown -R 1001 /opt/ledger", chowned, Recipe(spring_jar, arguments, release.moment), 1001)
    return plan.user("1001").expose(8080).entrypoint("java", "-jar", "/opt/ledger/app.jar")


def _indexer_files(version: str, build: int) -> Iterator[File]:
    yield text("build/pom.xml", f"<project><artifactId>indexer</artifactId><version>{version}</version></project>\n")
    yield from tree("build/src/main/java/com/example/indexer", 130, 1_200_000, suffix=".java", seed=build)
    yield from git_history("build", 8_000_000)


def indexer(release: Release, base: datetime) -> Plan:
    """Built where it runs since the build server went; the repository of Maven stays."""
    inside = release.number >= 4
    plan = openjdk_image(base).at(release.revision_moment, "buildkit").workdir("/build")
    jar = 24_000_000 + 700_000 * release.number
    if inside:
        plan = plan.run("curl -fsSL maven.tar.gz | tar xz -C /usr/share/maven", maven)
        plan = plan.run("mvn -B dependency:go-offline", maven_repository, 88_000_000, release.revision)
    plan = plan.at(release.moment)
    if not inside:
        plan = plan.copy(
            "target/indexer.jar",
            "/build/target/",
            spring_jar,
            "build/target/indexer.jar",
            "indexer",
            release.version,
            jar,
            release.number,
        )
        return plan.cmd("java", "-Xmx1g", "-jar", "/build/target/indexer.jar")
    plan = plan.copy(".", ".", _indexer_files, release.version, release.number)
    plan = plan.run("mvn -B package", maven_target, "build", "indexer", release.version, jar, release.number)
    return plan.cmd("java", "-Xmx1g", "-jar", f"/build/target/indexer-{release.version}.jar")


SERVICES = (
    Service("payments/ledger", "Team Payments", "steady; the jar is stored twice", ledger, 9, 27, first="2.11.0"),
    Service(
        "search/indexer",
        "Team Search",
        "a jump: the build moved into the image",
        indexer,
        8,
        25,
        first="5.3.1",
        revisions=(4,),
    ),
)
