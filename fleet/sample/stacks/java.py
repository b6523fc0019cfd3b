"""A JDK 21 on Debian, Spring Boot jars, and Maven's repository.

Layout of the jar: https://docs.spring.io/spring-boot/specification/executable-jar/nested-jars.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from fleet.sample.elf import LOADER, Program, elf_file
from fleet.sample.filler import Filler
from fleet.sample.plan import Plan
from fleet.sample.stacks.debian_base import debian_image
from fleet.sample.tar import File, symlink
from fleet.sample.trees import blob, seed_of, text, tree
from fleet.sample.zip import stored_zip

HOME = "usr/local/openjdk-21"
# (nested jar, its share)
JARS = (
    ("spring-core-6.2.1", 19), ("spring-context-6.2.1", 13), ("spring-web-6.2.1", 18), ("spring-webmvc-6.2.1", 11),
    ("spring-boot-3.4.0", 18), ("spring-boot-autoconfigure-3.4.0", 20), ("hibernate-core-6.6.3.Final", 118),
    ("jackson-databind-2.18.2", 16), ("postgresql-42.7.4", 11), ("netty-common-4.1.115.Final", 7),
    ("kafka-clients-3.8.1", 92),
    ("tomcat-embed-core-10.1.33", 36), ("byte-buddy-1.15.10", 85), ("aws-java-sdk-core-1.12.779", 11),
    ("guava-33.3.1-jre", 31),
    ("kotlin-stdlib-2.0.21", 17), ("rocksdbjni-9.7.3", 640), ("lucene-core-10.0.0", 38),
)  # fmt: skip


def openjdk_image(moment: datetime) -> Plan:
    """``openjdk:21-jdk-slim``."""
    plan = debian_image(moment, slim=True).apt("ca-certificates netbase")
    plan = plan.env(JAVA_HOME=f"/{HOME}", LANG="C.UTF-8", JAVA_VERSION="21").env(
        PATH=f"/{HOME}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    )
    return plan.run('set -eux; wget -O openjdk.tgz "$downloadUrl"; tar --extract --file openjdk.tgz', _jdk).cmd(
        "jshell"
    )


def _jdk() -> Iterator[File]:
    launcher = Program(
        LOADER, ("libjli.so", "libc.so.6"), runpath="$ORIGIN/../lib", glibc=("GLIBC_2.2.5", "GLIBC_2.34")
    )
    for name in ("java", "javac", "jar", "jlink", "jdeps", "jshell", "keytool", "jcmd", "jstack"):
        yield File(f"{HOME}/bin/{name}", elf_file(launcher, 12_800), 0o755)
    for name, size in (
        ("libjli.so", 112_000),
        ("libjava.so", 210_000),
        ("libnet.so", 98_000),
        ("libnio.so", 120_000),
        ("libzip.so", 76_000),
    ):
        program = Program(needed=("libc.so.6",), soname=name, runpath="$ORIGIN", glibc=("GLIBC_2.2.5",))
        yield File(f"{HOME}/lib/{name}", elf_file(program, size, seed_of(name) % 64), 0o755)
    machine = Program(needed=("libm.so.6", "libc.so.6"), soname="libjvm.so", glibc=("GLIBC_2.2.5", "GLIBC_2.34"))
    yield File(f"{HOME}/lib/server/libjvm.so", elf_file(machine, 23_600_000, 5), 0o755)
    yield blob(f"{HOME}/lib/server/classes.jsa", 13_900_000, "machine")
    yield blob(f"{HOME}/lib/modules", 128_000_000, "machine", head=b"\xda\xda\xfe\xca")
    yield blob(f"{HOME}/lib/src.zip", 51_000_000, head=b"PK\x03\x04")
    for name, size in (
        ("java.base", 22_800_000),
        ("java.desktop", 12_600_000),
        ("jdk.compiler", 6_900_000),
        ("jdk.localedata", 7_600_000),
    ):
        yield blob(f"{HOME}/jmods/{name}.jmod", size, head=b"JM\x01\x00")
    yield text(f"{HOME}/release", 'IMPLEMENTOR="Oracle Corporation"\nJAVA_VERSION="21"\nOS_ARCH="x86_64"\n')
    yield from tree(f"{HOME}/legal", 120, 900_000, suffix=".md")
    yield symlink("etc/ssl/certs/java/cacerts", f"/{HOME}/lib/security/cacerts")


def spring_jar(path: str, name: str, version: str, size_bytes: int, build: int) -> Iterator[File]:
    """An executable jar of about ``size_bytes``: the loader, the application's classes, and the nested jars."""
    main = f"Manifest-Version: 1.0\nMain-Class: org.springframework.boot.loader.launch.JarLauncher\nBuild: {build}\n"
    properties = f"groupId=com.example\nartifactId={name}\nversion={version}\n"
    members: list[tuple[str, bytes | Filler]] = [
        ("META-INF/MANIFEST.MF", main.encode()),
        (f"META-INF/maven/com.example/{name}/pom.properties", properties.encode()),
        ("org/springframework/boot/loader/launch/JarLauncher.class", b"\xca\xfe\xba\xbe" + bytes(1_200)),
        (
            f"BOOT-INF/classes/com/example/{name}/Application.class",
            Filler("machine", 420_000, build, b"\xca\xfe\xba\xbe"),
        ),
    ]
    weights = sum(weight for _, weight in JARS)
    for jar, weight in JARS:
        members.append(
            (f"BOOT-INF/lib/{jar}.jar", Filler("packed", size_bytes * weight // weights, seed_of(jar) % 64, b"PK\3\4"))
        )
    yield File(path, stored_zip(members))


def maven_repository(size_bytes: int, revision: int) -> Iterator[File]:
    """What a build in the image leaves in the home directory."""
    return tree("root/.m2/repository/org", 300, size_bytes, suffix=".jar", matter="packed", seed=revision)


def maven() -> Iterator[File]:
    yield from tree("usr/share/maven/lib", 60, 9_800_000, suffix=".jar", matter="packed")
    yield text("usr/share/maven/bin/mvn", "#!/bin/sh\nexec java\n", 0o755)
    yield symlink("usr/bin/mvn", "/usr/share/maven/bin/mvn")


def maven_target(root: str, name: str, version: str, jar_bytes: int, build: int) -> Iterator[File]:
    """``target`` after ``mvn package``: the jar, the one before repackaging, classes and test reports."""
    yield from spring_jar(f"{root}/target/{name}-{version}.jar", name, version, jar_bytes, build)
    yield blob(f"{root}/target/{name}-{version}.jar.original", jar_bytes // 30)
    yield from tree(f"{root}/target/classes", 140, 2_600_000, suffix=".class", matter="machine", seed=build)
    yield from tree(f"{root}/target/surefire-reports", 60, 1_900_000, suffix=".xml", seed=build)
