"""What is gathered keeps its owners, whatever the image's cp can do."""

from fleet.analysis.analyse import analyse
from fleet.dockerfile.bases import scratch_base
from fleet.dockerfile.carrying import Carried
from fleet.dockerfile.gathering import gather
from fleet.dockerfile.request import Request
from tests.dockerfile import images as i

FILES = {"home/app": i.Owned(None, 1000, 1000, 0o700), "home/app/site/run": i.SHELL}


def gathered(system):
    loaded = i.image({**system, **FILES}, config=i.CONFIG)
    request = Request(loaded, analyse(loaded), "repack", "scratch", i.Served({}))
    paths = frozenset({"home/app/site/run"})
    carried = Carried(paths, ("home/app/site",), (), (), paths, (), ())
    return "\n".join(gather(request, carried, scratch_base(), hand_over=False).lines)


def test_busybox_is_told_the_owners_of_parents():
    text = gathered({"lib/ld-musl-x86_64.so.1": i.SHELL})
    assert text.index("chown 1000:1000 /plimsoll-root/home/app") < text.index("cp -a --parents")
    assert "chmod 700 /plimsoll-root/home/app" in text


def test_others_know_by_themselves():
    assert "chown" not in gathered(i.DEBIAN)
