"""The table of a benchmark: report.py ITEMS PEER, lines of "steward|peer elapsed user system peak-KiB" on standard input."""

import statistics
import sys


def main() -> None:
    items, peer = int(sys.argv[1]), sys.argv[2]
    runs: dict[str, list[dict[str, float]]] = {"steward": [], "peer": []}
    for line in sys.stdin:
        who, *numbers = line.split()
        elapsed, user, system, peak = map(float, numbers)
        runs[who].append({"elapsed": elapsed, "cpu": user + system, "peak": peak / 1024})

    print("| | items/s | seconds (each) | CPU s | peak MiB |\n|---|---|---|---|---|")
    for who, name in (("steward", "steward"), ("peer", peer)):
        seconds = [run["elapsed"] for run in runs[who]]
        middle = statistics.median(seconds)
        cpu = statistics.median(run["cpu"] for run in runs[who])
        peak = max(run["peak"] for run in runs[who])
        each = ", ".join(f"{value:.2f}" for value in seconds)
        print(f"| {name} | {items / middle:,.0f} | {middle:.2f} ({each}) | {cpu:.2f} | {peak:.0f} |")

    ratios = [ours["elapsed"] / theirs["elapsed"] for ours, theirs in zip(runs["steward"], runs["peer"])]
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"\nsteward takes {statistics.median(ratios):.2f} times the peer's time (pairs: {each})")


main()
