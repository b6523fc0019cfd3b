import pytest
from django.core.management import CommandError, call_command

from fleet.models import Registry, Service, SizePolicy

URL = "http://127.0.0.1:5555"

pytestmark = pytest.mark.django_db


def test_it_registers_the_sample_with_schedule_mirror_and_policies():
    call_command("sample", "register", url=URL)
    registry = Registry.objects.get()
    assert (registry.name, registry.url, registry.is_sample) == ("Sample fleet", URL, True)
    assert registry.exclude == "library/*"
    assert registry.base_mirrors == "docker.io/library=127.0.0.1:5555/library"
    assert registry.periodic_task.interval.every == 5
    assert SizePolicy.objects.filter(registry=registry).count() == 2


def test_it_follows_the_sample_to_another_port_and_keeps_an_admins_changes():
    call_command("sample", "register", url=URL)
    SizePolicy.objects.filter(repository_glob="").update(fail_compressed_bytes=1)
    call_command("sample", "register", url="http://127.0.0.1:6666")
    assert Registry.objects.get().base_mirrors == "docker.io/library=127.0.0.1:6666/library"
    assert SizePolicy.objects.get(repository_glob="").fail_compressed_bytes == 1


def test_it_gives_a_scanned_service_its_teams_dockerfile_once():
    call_command("sample", "register", url=URL)
    registry = Registry.objects.get()
    service = Service.objects.create(registry=registry, repository="shop/checkout-api", platform="linux/amd64")
    call_command("sample", "register", url=URL)
    service.refresh_from_db()
    assert service.dockerfile.startswith("FROM python:3.11\n")
    Service.objects.update(dockerfile="FROM ours\n")
    call_command("sample", "register", url=URL)
    service.refresh_from_db()
    assert service.dockerfile == "FROM ours\n"


def test_it_never_joins_a_real_installation():
    Registry.objects.create(name="Production", url="https://registry.example.com")
    with pytest.raises(CommandError, match="never mixed into a real installation"):
        call_command("sample", "register", url=URL)
    assert Registry.objects.count() == 1
    assert not SizePolicy.objects.exists()


def test_it_stays_when_a_real_registry_was_added_beside_it():
    call_command("sample", "register", url=URL)
    Registry.objects.create(name="Production", url="https://registry.example.com")
    call_command("sample", "register", url=URL)
    assert Registry.objects.filter(is_sample=True).count() == 1


def test_it_refuses_what_is_no_url():
    with pytest.raises(CommandError, match="is no URL"):
        call_command("sample", "register", url="5555")
