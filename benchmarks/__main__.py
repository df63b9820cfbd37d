"""python -m benchmarks [name ...] [--quick] [--rows N] [--nab DIR]

Prints a line for each measurement. Exit status 1 where a goal is missed (never with --quick), 2 for a wrong argument.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.accounting import accounting
from benchmarks.anomalies import Points, anomalies
from benchmarks.crowd import crowd
from benchmarks.export import export
from benchmarks.http_answers import http_answers
from benchmarks.measure import HEADER, Count, Memory, Options, Result
from benchmarks.parse import parse
from benchmarks.queries import queries
from benchmarks.refresh import refresh
from benchmarks.ssh import ssh
from benchmarks.store import store
from benchmarks.tenancy import tenancy

BENCHMARKS: Mapping[str, Callable[[Options], Iterator[Result | Memory | Count | Points]]] = {
    "ssh": ssh,
    "parse": parse,
    "accounting": accounting,
    "store": store,
    "http": http_answers,
    "refresh": refresh,
    "export": export,
    "queries": queries,
    "anomalies": anomalies,
    "tenancy": tenancy,
    "crowd": crowd,
}


def main(argv: Sequence[str]) -> int:
    arguments = _arguments(argv)
    rows = arguments.rows or (500_000 if arguments.quick else Options.rows)
    options = Options(quick=arguments.quick, rows=rows, nab=arguments.nab)
    print(HEADER)
    missed = []
    for name in arguments.names or BENCHMARKS:
        for result in BENCHMARKS[name](options):
            print(result, flush=True)
            if result.is_over:
                missed.append(result.name)
    if missed:
        print(f"\nOver their goal: {', '.join(missed)}.")
    return 1 if missed and not options.quick else 0


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description="The product against its limits")
    parser.add_argument("names", nargs="*", metavar="name", help=f"{', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="see that they run: few rounds, little data")
    parser.add_argument("--rows", type=int, help=f"raw rows for queries, {Options.rows:,} by default")
    parser.add_argument("--nab", type=Path, metavar="DIR", help="the Numenta Anomaly Benchmark, for anomalies")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.names) - BENCHMARKS.keys():
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    return arguments


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
