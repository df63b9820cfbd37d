"""How the threads of a server share Python's interpreter, and when it looks for garbage. Called once, at a start."""

import gc
import sys

#: Seconds; Python's own are 5 ms.
_TURN_S = 0.001

#: Objects more than before after which the youngest are gone through; Python's own are 700, which the rows of one
#: history exceed dozens of times.
_MANY_OBJECTS = 10_000


def take_short_turns() -> None:
    """Let a thread that computes give way sooner to those that need little.

    One thread computes at a time. A request gives its turn away at every statement to the database, and has to wait
    for the next one for as long as a turn lasts, once for each thread that computes meanwhile. Of a request with
    twenty statements beside two long answers that is 0.2 s with turns of 5 ms; turns of 1 ms cost the long ones a
    fiftieth of their speed where there is one, a seventh where there are two.
    """
    sys.setswitchinterval(_TURN_S)


def look_for_garbage_seldom() -> None:
    """To be called when everything is built that stays for good: it is not gone through any more.

    Nearly all garbage goes by itself; what refers to itself in a circle is looked for, and everything waits meanwhile.
    Modules and schemas are some 200,000 objects, and to go through them takes 0.1 to 0.2 s.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_MANY_OBJECTS, *gc.get_threshold()[1:])
