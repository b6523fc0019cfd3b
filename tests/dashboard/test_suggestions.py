"""The ladder on a service's page, the files that a suggestion is taken up with, and what came of earlier ones."""

from __future__ import annotations

import html
import re
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.template.loader import render_to_string
from django.test import Client

from dashboard.benefits import cost_basis, money
from dashboard.suggestions import Proof, ladders
from fleet.dockerfile.benefits import Tariff
from fleet.models import Adoption, Prices, Service, Suggestion
from tests.dashboard.factories import DOCKERFILE, MB, make_image, make_service, make_suggestion
from tests.dashboard.pages import body, queries_of, words

pytestmark = pytest.mark.django_db
EVIL = '</code></pre><script>alert(1)</script>"><img src=x onerror=alert(2)>'
OWN = 'FROM python:3.12\nCOPY . /app\nRUN pip install -r /app/requirements.txt\nCMD ["python", "-m", "app"]\n'
COMPONENTS = {
    "before": {"packages": 1432, "executables": 900, "setuid_files": 12, "shells": 3},
    "after": {"packages": 90, "executables": 40, "setuid_files": 0, "shells": 0},
}


@pytest.fixture
def service() -> Service:
    return make_service("shop/api", sizes=(402 * MB,), dockerfile=OWN, weight=3)


def rung(service: Service, tier: str, after: int, mode: str = "rebuild", **fields: object) -> Suggestion:
    values = {"tier": tier, "after_compressed_bytes": after * MB, "after_unpacked_bytes": 3 * after * MB}
    return make_suggestion(service, mode, **{**values, "recommended": (mode, tier) == ("rebuild", "slim"), **fields})


def closed(service: Service, tier: str, reason: str, mode: str = "rebuild") -> Suggestion:
    return rung(service, tier, 0, mode, dockerfile="", obstacle=reason, usable=False, gates=[], reasons=[])


def suggestions_of(client: Client, service: Service, query: str = "") -> str:
    page = body(client.get(f"/services/{service.pk}/{query}"))
    return page[page.index('id="suggestions"') : page.index('id="findings"')]


def rungs(part: str, mode: str = "rebuild") -> list[str]:
    ladder = part[part.index(f'id="mode-{mode}"') :]
    return [words(each) for each in ladder[: ladder.index("</ol>")].split('<li class="rung')[1:]]


def open_panels(part: str) -> list[str]:
    """The keys of the suggestions that are not hidden."""
    return [
        key for key, hidden in re.findall(r'<div class="offer" id="suggestion-(\d+)"( hidden)?>', part) if not hidden
    ]


class TestLadder:
    def test_each_rung_says_what_it_gains_over_the_one_before(self, reader: Client, service: Service) -> None:
        rung(service, "scratch", 20)
        rung(service, "slim", 100, risk="A tool may be missed.")
        rung(service, "cleaned", 350)
        rung(service, "distroless", 105)
        found = rungs(suggestions_of(reader, service))
        assert [each.split("> ")[1].split()[0] for each in found] == [
            "Current", "Cleaned", "Slim", "Distroless", "Scratch",
        ]  # fmt: skip
        assert "402 MB measured" in found[0]
        assert "350 MB estimate" in found[1]
        assert "−52 MB" in found[1]
        assert "Slim Recommended" in found[2]
        assert "−250 MB" in found[2]
        assert "Risk: A tool may be missed." in found[2]
        assert "+5 MB" in found[3]
        assert "−85 MB" in found[4]

    def test_a_step_that_is_impossible_says_why_and_each_reason_is_told_once(
        self, reader: Client, service: Service
    ) -> None:
        rung(service, "cleaned", 350)
        closed(service, "slim", "No base holds this interpreter.")
        closed(service, "distroless", "No base holds this interpreter.")
        closed(service, "scratch", "It needs a shell.")
        part = suggestions_of(reader, service)
        found = rungs(part)
        assert len(found) == 4
        assert "Slim and distroless not possible No base holds this interpreter." in found[2]
        assert "Scratch not possible It needs a shell." in found[3]
        assert part.count("No base holds this interpreter.") == 1

    def test_the_recommended_rung_is_open_and_nothing_else(self, reader: Client, service: Service) -> None:
        rung(service, "cleaned", 350)
        best = rung(service, "slim", 100)
        other = rung(service, "slim", 110, "repack")
        rung(service, "scratch", 10, usable=False)
        part = suggestions_of(reader, service)
        assert open_panels(part) == [str(other.pk), str(best.pk)]
        assert '<div id="mode-repack" role="tabpanel" aria-labelledby="tab-repack" hidden>' in part
        assert part.count('aria-current="true"') == 2

    def test_without_a_recommended_one_the_best_usable_rung_is_open(self, reader: Client, service: Service) -> None:
        rung(service, "cleaned", 350, recommended=False)
        best = rung(service, "distroless", 300, recommended=False)
        rung(service, "scratch", 10, usable=False)
        assert open_panels(suggestions_of(reader, service)) == [str(best.pk)]

    def test_the_address_opens_a_rung_without_any_script(self, reader: Client, service: Service) -> None:
        rung(service, "slim", 100)
        wanted = rung(service, "distroless", 110, "repack")
        rung(service, "slim", 120, "repack")
        part = suggestions_of(reader, service)
        assert f'href="?mode=repack&amp;tier=distroless#suggestions" data-rung="suggestion-{wanted.pk}"' in part
        part = suggestions_of(reader, service, "?mode=repack&tier=distroless")
        assert str(wanted.pk) in open_panels(part)
        assert '<div id="mode-rebuild" role="tabpanel" aria-labelledby="tab-rebuild" hidden>' in part

    @pytest.mark.parametrize(
        "query", ["?mode=x", "?tier=x", "?mode=rebuild&tier=scratch", "?mode=%00&tier='", "?mode="]
    )
    def test_an_address_that_makes_no_sense_opens_the_recommended_one(
        self, reader: Client, service: Service, query: str
    ) -> None:
        best = rung(service, "slim", 100)
        rung(service, "cleaned", 300)
        closed(service, "scratch", "No.")
        assert open_panels(suggestions_of(reader, service, query)) == [str(best.pk)]

    def test_a_mode_in_which_nothing_goes_says_why(self, reader: Client, service: Service) -> None:
        rung(service, "slim", 100)
        for tier in ("cleaned", "slim", "distroless", "scratch"):
            closed(service, tier, "The image has no files.", "repack")
        found = rungs(suggestions_of(reader, service), "repack")
        assert found == [found[0]]
        assert "Cleaned, slim, distroless and scratch not possible The image has no files." in found[0]

    def test_a_rung_that_failed_a_check_says_so_and_opens_its_checks(self, reader: Client, service: Service) -> None:
        gates = [{"name": "libraries", "passed": False, "detail": "libpq.so.5 is missing."}]
        rung(service, "slim", 100, usable=False, recommended=False, gates=gates)
        part = suggestions_of(reader, service)
        assert "A check failed" in rungs(part)[1]
        assert "1 of 1 failed" in words(part)
        assert "<details open>" in part

    def test_what_was_built_and_run_is_measured_and_no_estimate(self, service: Service) -> None:
        rung(service, "slim", 100)
        rung(service, "distroless", 80)
        proofs = {"rebuild-slim": Proof(97 * MB), "rebuild-distroless": Proof(unpacked_bytes=230 * MB)}
        ladder = ladders(service, proofs=proofs).ladders[0]
        markup = render_to_string("dashboard/service_ladder.html", {"ladder": ladder, "service": service})
        _, _, slim, distroless = (words(each) for each in markup.split('<li class="rung'))
        assert "Verified a small base with a shell Compressed 97 MB measured Unpacked 300 MB estimate" in slim
        assert "Compressed 80 MB estimate Unpacked 230 MB measured" in distroless

    def test_queries_do_not_grow_with_the_ladder(self, reader: Client, service: Service) -> None:
        rung(service, "slim", 100)
        few = queries_of(reader, f"/services/{service.pk}/")
        for tier in ("cleaned", "distroless", "scratch"):
            rung(service, tier, 90)
        for tier in ("cleaned", "slim", "distroless", "scratch"):
            rung(service, tier, 90, "repack")
        for _ in range(5):
            adopt(service)
        assert queries_of(reader, f"/services/{service.pk}/") == few


class TestBenefits:
    def test_components_are_told_before_and_after(self, reader: Client, service: Service) -> None:
        rung(service, "slim", 100, components=COMPONENTS)
        text = words(suggestions_of(reader, service))
        assert "Packages 1,432 before, after 90" in text
        assert "Setuid files 12 before, after 0" in text
        assert "Shells 3 before, after 0" in text

    def test_where_the_base_is_not_known_components_are_not_compared(self, reader: Client, service: Service) -> None:
        rung(service, "slim", 100)
        text = words(suggestions_of(reader, service))
        assert "the files of the base are not known" in text
        assert "Shells" not in text

    def test_pull_time_names_the_default_bandwidth_and_no_cost_is_made_up(
        self, reader: Client, service: Service
    ) -> None:
        rung(service, "slim", 100)
        text = words(suggestions_of(reader, service))
        assert "Pull time 32.2 s before, after 8.0 s" in text
        assert "at 100 Mbit/s, the default until an administrator sets another." in text
        assert "No cost is shown until an administrator sets prices." in text
        assert "Monthly cost" not in text

    def test_costs_follow_the_administrator_s_prices_and_the_replicas(self, reader: Client, service: Service) -> None:
        Prices.objects.create(
            pk=Prices.ONLY,
            bandwidth_mbit=200,
            storage_gb_month=Decimal("0.10"),
            transfer_gb=Decimal("0.09"),
            pulls_per_replica_month=Decimal("30.00"),
            currency="EUR",
        )
        rung(service, "slim", 100)
        text = words(suggestions_of(reader, service))
        assert "Pull time 16.1 s before, after 4.0 s" in text
        assert "at 200 Mbit/s." in text
        # 0.402 GB * (0.10 + 0.09 * 30 * 3)
        assert "Monthly cost 3.30 EUR before, after 0.82 EUR" in text
        assert "Costs are for one stored image and 30 pulls a month by each of its 3 replicas." in text

    @pytest.mark.parametrize(
        ("tariff", "replicas", "sentence"),
        [
            (Tariff(), 3, ""),
            (Tariff(storage_gb_month=Decimal(1)), 3, "Costs are for one stored image."),
            (
                Tariff(transfer_gb=Decimal(1), pulls_per_replica_month=Decimal("1.00")),
                1,
                "Costs are for 1 pull a month by its one replica.",
            ),
            (
                Tariff(transfer_gb=Decimal(1), pulls_per_replica_month=Decimal("0.50")),
                1200,
                "Costs are for 0.5 pulls a month by each of its 1,200 replicas.",
            ),
        ],
    )
    def test_a_cost_says_what_it_is_for(self, tariff: Tariff, replicas: int, sentence: str) -> None:
        assert cost_basis(tariff, replicas) == sentence

    @pytest.mark.parametrize(
        ("amount", "text"),
        [("0", "0.00 EUR"), ("0.001", "< 0.01 EUR"), ("1234.5", "1,234.50 EUR"), ("-3", "-3.00 EUR")],
    )
    def test_money_never_vanishes(self, amount: str, text: str) -> None:
        assert money(Decimal(amount), "EUR").replace("\N{NO-BREAK SPACE}", " ") == text
        assert money(Decimal(2), "") == "2.00"

    def test_only_who_may_set_prices_is_led_there(self, staff: Client, service: Service) -> None:
        rung(service, "slim", 100)
        part = suggestions_of(staff, service)
        assert '<a href="/admin/fleet/prices/">Set prices</a>' in part
        assert staff.get("/admin/fleet/prices/").headers["Location"] == "/admin/fleet/prices/add/"


class TestFiles:
    def test_the_dockerfile_downloads_under_its_name(self, reader: Client) -> None:
        suggestion = make_suggestion(make_service())
        response = reader.get(f"/suggestions/{suggestion.pk}/Dockerfile")
        assert response.content.decode() == DOCKERFILE
        assert response.headers["Content-Disposition"] == 'attachment; filename="Dockerfile"'
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"

    @pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.patch", "SUMMARY.md", "buildkit/Dockerfile"])
    def test_an_obstacle_has_nothing_to_download(self, reader: Client, service: Service, name: str) -> None:
        suggestion = closed(service, "slim", "No.")
        assert reader.get(f"/suggestions/{suggestion.pk}/{name}").status_code == 404

    def test_the_form_for_buildkit_is_there_where_it_differs(self, reader: Client, service: Service) -> None:
        same = rung(service, "slim", 100)
        other = rung(service, "distroless", 90, buildkit_dockerfile="# syntax=docker/dockerfile:1\nFROM scratch\n")
        assert reader.get(f"/suggestions/{same.pk}/buildkit/Dockerfile").status_code == 404
        response = reader.get(f"/suggestions/{other.pk}/buildkit/Dockerfile")
        assert response.content == b"# syntax=docker/dockerfile:1\nFROM scratch\n"
        part = suggestions_of(reader, service)
        assert f'id="buildkit-code-{other.pk}"' in part
        assert f'id="buildkit-code-{same.pk}"' not in part

    @pytest.mark.parametrize("own", [OWN, OWN.removesuffix("\n"), OWN.replace("\n", "\r\n")])
    @pytest.mark.parametrize("tool", [["patch", "-p1", "--batch"], ["git", "apply", "-"]])
    def test_the_patch_applies_to_the_team_s_dockerfile(
        self, reader: Client, service: Service, tmp_path: Path, own: str, tool: list[str]
    ) -> None:
        Service.objects.filter(pk=service.pk).update(dockerfile=own)
        response = reader.get(f"/suggestions/{rung(service, 'slim', 100).pk}/Dockerfile.patch")
        assert response.headers["Content-Disposition"] == 'attachment; filename="Dockerfile.patch"'
        assert response.headers["Content-Type"] == "text/x-diff; charset=utf-8"
        (tmp_path / "Dockerfile").write_bytes(own.encode())
        subprocess.run(tool, cwd=tmp_path, input=response.content, check=True, capture_output=True)
        assert (tmp_path / "Dockerfile").read_bytes().replace(b"\r\n", b"\n").decode() == DOCKERFILE

    def test_a_dockerfile_from_a_form_is_patched_as_it_is_in_the_repository(
        self, staff: Client, service: Service, tmp_path: Path
    ) -> None:
        """Browsers send CRLF, and Django drops the newline at the end."""
        values = {"owner": "web", "weight": "1", "dockerfile": OWN.replace("\n", "\r\n")}
        assert staff.post(f"/admin/fleet/service/{service.pk}/change/", values).status_code == 302
        text = staff.get(f"/suggestions/{rung(service, 'slim', 100).pk}/Dockerfile.patch").content
        (tmp_path / "Dockerfile").write_text(OWN)
        subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=text, check=True, capture_output=True)
        assert (tmp_path / "Dockerfile").read_text() == DOCKERFILE

    def test_there_is_no_patch_without_a_dockerfile_to_patch(self, reader: Client, service: Service) -> None:
        repack = rung(service, "slim", 100, "repack")
        assert reader.get(f"/suggestions/{repack.pk}/Dockerfile.patch").status_code == 404
        rebuild = rung(service, "slim", 100)
        assert ">Diff<" in suggestions_of(reader, service)
        Service.objects.filter(pk=service.pk).update(dockerfile="")
        assert reader.get(f"/suggestions/{rebuild.pk}/Dockerfile.patch").status_code == 404
        part = suggestions_of(reader, service)
        assert ">Diff<" not in part
        assert "With the team's own Dockerfile on record" in words(part)

    def test_the_difference_on_the_page_is_the_patch(self, reader: Client, service: Service) -> None:
        row = rung(service, "slim", 100)
        shown = re.search(r'<code id="diff-text-\d+">(.*?)</code>', suggestions_of(reader, service), re.DOTALL)
        assert shown
        text = html.unescape(re.sub(r"<[^>]*>", "", shown[1]))
        assert text == reader.get(f"/suggestions/{row.pk}/Dockerfile.patch").content.decode()

    def test_the_summary_is_ready_for_a_pull_request(self, reader: Client, service: Service) -> None:
        row = rung(
            service, "slim", 100, components=COMPONENTS, base_digest="sha256:abc", risk="A tool may be missed.",
            gates=[{"name": "entry point", "passed": False, "detail": "gone"}],
        )  # fmt: skip
        response = reader.get(f"/suggestions/{row.pk}/SUMMARY.md")
        text = response.content.decode()
        assert response.headers["Content-Disposition"] == 'attachment; filename="SUMMARY.md"'
        assert response.headers["Content-Type"] == "text/markdown; charset=utf-8"
        assert text.startswith("# A smaller image for shop/api: slim\n")
        flat = text.replace("\N{NO-BREAK SPACE}", " ")
        assert "| Compressed, what a pull moves | 402 MB (measured) | 100 MB (estimate) | 302 MB |" in flat
        assert "| Packages (estimate) | 1,432 | 90 | 1,342 |" in flat
        assert "- FAILED, entry point: gone" in text
        assert "- A tool may be missed." in text
        assert "- Compilers stay in the build stage." in text
        assert "docker.io/library/python:3.12-slim at sha256:abc" in text
        assert f"```dockerfile\n{DOCKERFILE}```\n" in text
        shown = re.search(r'<code id="summary-text-\d+">(.*?)</code>', suggestions_of(reader, service), re.DOTALL)
        assert shown
        assert html.unescape(shown[1]) == text

    def test_a_stranger_gets_no_file(self, client: Client, service: Service) -> None:
        row = rung(service, "slim", 100)
        for name in ("Dockerfile", "Dockerfile.patch", "SUMMARY.md", "buildkit/Dockerfile"):
            assert client.get(f"/suggestions/{row.pk}/{name}").headers["Location"].startswith("/accounts/login/"), name

    def test_hostile_text_stays_text(self, reader: Client) -> None:
        service = make_service(EVIL[:200], dockerfile=f"FROM a\n# {EVIL}\n", image=make_image((EVIL,)))
        row = rung(
            service, "slim", 100, dockerfile=f"FROM b\n# {EVIL}\n# ```\n", buildkit_dockerfile=f"# {EVIL}\n", risk=EVIL,
            reasons=[EVIL, "``` \n# owned"], notes=[EVIL], base_reference=EVIL,
            gates=[{"name": EVIL, "passed": True, "detail": EVIL}],
        )  # fmt: skip
        closed(service, "scratch", EVIL)
        adopt(service, evidence=EVIL)
        page = body(reader.get(f"/services/{service.pk}/"))
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        text = reader.get(f"/suggestions/{row.pk}/SUMMARY.md").content.decode()
        outside = text[: text.index("````dockerfile\n")]
        assert not re.search(r"(?<!\\)<", outside)
        assert "\n# owned" not in outside


def adopt(service: Service, **fields: object) -> Adoption:
    values = {
        "from_image": service.snapshot.image, "to_image": make_image(), "mode": "rebuild", "tier": "slim",
        "dockerfile": DOCKERFILE, "dockerfile_sha256": "0" * 64,
        "promised_compressed_bytes": 214 * MB, "promised_unpacked_bytes": 400 * MB,
        "real_compressed_bytes": 209 * MB, "real_unpacked_bytes": 410 * MB,
        "evidence": "The size fell by 209 MB compressed, of 214 MB promised.",
        "adopted_at": datetime(2026, 11, 12, 9, tzinfo=UTC),
    }  # fmt: skip
    return Adoption.objects.create(service=service, **(values | fields))


class TestAdoption:
    def test_promise_and_outcome_are_compared(self, reader: Client, service: Service) -> None:
        adopt(service)
        text = words(suggestions_of(reader, service))
        assert (
            "Adopted on 12 Nov 2026 : rebuild to slim, promised 214 MB estimate , real 209 MB measured (−2 %) "
            "compressed. Unpacked: promised 400 MB , real 410 MB ." in text
        )
        assert "Concluded from scans: The size fell by 209 MB compressed, of 214 MB promised." in text

    def test_what_was_not_measured_is_not_told(self, reader: Client, service: Service) -> None:
        adopt(service, real_unpacked_bytes=None, real_compressed_bytes=214 * MB)
        text = words(suggestions_of(reader, service))
        assert "(±0 %) compressed. Concluded" in text
