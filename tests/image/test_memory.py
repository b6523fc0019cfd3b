"""A layer of any size passes through: only its list of files stays, in columns."""

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]

_READ = """
import gzip, random, resource
from fleet.image.layer import index_layer
from tests.image.archives import END, block

def blob():
    piece = gzip.compress(random.Random(1).randbytes(1 << 18) * 4, 1)
    elf = gzip.compress(open("/bin/sh", "rb").read(4096).ljust(1 << 20, b"\\0"), 1)
    for number in range(3):
        yield gzip.compress(block(b"large-%d" % number, size=100 << 20, mode=(100, b"0000755\\0")))
        yield elf
        for _ in range(99):
            yield piece
    yield gzip.compress(END)

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
index = index_layer(blob(), digest="", media_type="")
assert index.unpacked_bytes == 300 << 20
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_three_hundred_megabytes_of_programs_need_no_memory_of_that_size():
    printed = subprocess.run([sys.executable, "-c", _READ], cwd=_ROOT, capture_output=True, text=True, check=True)
    assert int(printed.stdout) < 100


_LIST = """
import resource, zlib
from fleet.image.layer import index_layer
from tests.image.archives import END, block

def blob(count):
    pack = zlib.compressobj(1, wbits=31)
    for start in range(0, count, 1000):
        numbers = range(start, start + 1000)
        names = (b"usr/lib/node_modules/package-%05d/dist/module-%06d.js" % (n // 12, n) for n in numbers)
        yield pack.compress(b"".join(map(block, names)))
    yield pack.compress(END) + pack.flush()

index_layer(blob(5000), digest="", media_type="")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
index = index_layer(blob(150_000), digest="", media_type="")
assert len(index.entries) == 150_000
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 // 150_000)
"""


def test_a_million_files_take_a_hundred_and_fifty_megabytes():
    """Measured with fewer: 150 bytes each, the list of them as it grows included."""
    printed = subprocess.run([sys.executable, "-c", _LIST], cwd=_ROOT, capture_output=True, text=True, check=True)
    assert int(printed.stdout) < 150
