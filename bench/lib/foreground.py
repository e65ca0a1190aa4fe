"""The table of bench/foreground.sh: foreground.py FOLDER, with `turns` and pgbench's logs in it.

A latency counts where its transaction was due while the work was going on; pgbench counts from that moment, so a transaction
that had to wait for its turn is as slow as its user found it.
"""

import glob
import math
import statistics
import sys


def latencies(folder: str, turn: int, who: str, begun: float, ended: float) -> list[float]:
    found = []
    for name in glob.glob(f"{folder}/log.{turn}.{who}.*"):
        with open(name) as lines:
            for line in lines:
                fields = line.split()
                if len(fields) < 6 or not fields[2].isdigit():
                    continue  # the last line may have been cut short
                milliseconds = int(fields[2]) / 1000
                due = int(fields[4]) + int(fields[5]) / 1e6 - milliseconds / 1000
                if begun <= due <= ended:
                    found.append(milliseconds)
    return sorted(found)


def quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def main() -> None:
    folder = sys.argv[1]
    turns: dict[str, list[tuple[float, list[float]]]] = {}
    with open(f"{folder}/turns") as lines:
        for line in lines:
            turn, who, begun, ended = line.split()
            found = latencies(folder, int(turn), who, float(begun), float(ended))
            turns.setdefault(who, []).append((float(ended) - float(begun), found))
    print("| beside | seconds (each) | transactions | p50 ms | p99 ms (each) | slowest ms |\n|---|---|---|---|---|---|")
    for who, each in turns.items():
        seconds = [took for took, _ in each]
        everything = sorted(value for _, found in each for value in found)
        if not everything:
            print(f"| {who} | {statistics.median(seconds):.2f} | 0 | - | - | - |")
            continue
        shown = ", ".join(f"{took:.2f}" for took in seconds)
        p99s = ", ".join(f"{quantile(found, 0.99):.0f}" for _, found in each if found)
        print(
            f"| {who} | {statistics.median(seconds):.2f} ({shown}) | {len(everything):,} | {quantile(everything, 0.5):.1f} "
            f"| {quantile(everything, 0.99):.0f} ({p99s}) | {everything[-1]:.0f} |"
        )


main()
