"""Memory that a process has freed is the system's again."""

import subprocess
import sys

_BURST = """
import random
from pathlib import Path
from utils.allocator import give_back_freed_memory, give_back_holes

def held():
    return int(Path("/proc/self/statm").read_text().split()[1])

give_back_freed_memory()
rows = [bytes(random.Random(number).randrange(600, 20_000)) for number in range(20_000)]
at_most = held()
rows = rows[::20]  # one in twenty stays, all over the heap
give_back_holes()
print(held() / at_most)
"""


def test_after_a_burst_most_of_it_is_given_back_whatever_stays() -> None:
    told = subprocess.run([sys.executable, "-c", _BURST], capture_output=True, text=True, check=True).stdout
    assert float(told) < 0.5
