"""Firings of cron expressions in time zones, by cronsim; run by cron_peer.sh.

A case is {"cron", "zone", "from", "until", "firings"}: all firings strictly after `from` and before `until`.

Where cronsim is known to be wrong, the case is decided by a walk through the minutes as Debian's cron does it (cron.c, its
virtual clock; entry.c and find_jobs for what matches), and says so in "decided". Its known faults:

- second-pass: started inside the second pass of an overlap, a fixed time can be given that lies in the past.
- half-hour: whole hours are stepped over, so that after a change of 30 minutes (Lord Howe) hours with a wildcard are missed,
  or fire twice.
- midnight-gap: where a day begins with a gap (Cairo, Santiago, Beirut: 00:00 to 01:00), cronsim goes to that day's 00:00, which is not
  there: a wildcard job gets a firing of hour 0 in the first hour that exists, or misses what it has in that hour.
- circle: where clocks change at no whole hour (Chatham, 03:45), the hour is set back again and again in the second pass.

The walk is done for every case; a difference that is none of these ends the program: it is a new fault of one of the two.
"""
import json
import random
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from cronsim import CronSim

UTC = timezone.utc
MINUTE = timedelta(minutes=1)


def text_of(moment):
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def bits(field, low, high):
    found = set()
    for entry in field.split(","):
        span, _, step = entry.partition("/")
        if span == "*":
            first, last = low, high
        else:
            first, _, last = span.partition("-")
            first, last = int(first), int(last or first)
        found.update(range(first, last + 1, int(step or 1)))
    return found


class Entry:
    """entry.c: what an expression of numbers matches."""

    def __init__(self, expression):
        minute, hour, dom, month, dow = expression.split()
        self.minutes, self.hours, self.months = bits(minute, 0, 59), bits(hour, 0, 23), bits(month, 1, 12)
        self.doms, self.dows = bits(dom, 1, 31), {day % 7 for day in bits(dow, 0, 7)}
        self.wild = minute[0] == "*" or hour[0] == "*"
        self.day_and = dom[0] == "*" or dow[0] == "*"

    def matches(self, local):
        dom, dow = local.day in self.doms, local.isoweekday() % 7 in self.dows
        day = (dom and dow) if self.day_and else (dom or dow)
        return day and local.minute in self.minutes and local.hour in self.hours and local.month in self.months


def walk(expression, zone, start, until):
    """cron.c: from well before `start`, so that its virtual clock has been through the change."""
    entry, fired = Entry(expression), []
    now = start - timedelta(hours=6)
    virtual = now.astimezone(zone).replace(tzinfo=None)
    while now + MINUTE < until:
        now += MINUTE
        running = now.astimezone(zone).replace(tzinfo=None)
        difference = (running - virtual) // MINUTE
        if difference == 1 or difference > 180 or difference <= -180:
            virtual = running
            fires = entry.matches(running)
        elif difference > 1:
            fires = entry.wild and entry.matches(running)
            while virtual < running:
                virtual += MINUTE
                fires = fires or (not entry.wild and entry.matches(virtual))
        else:
            fires = entry.wild and entry.matches(running)
        if fires and now > start:
            fired.append(now)
    return fired


def by_cronsim(expression, zone, start, until):
    fired = []
    for moment in CronSim(expression, start.astimezone(zone)):
        moment = moment.astimezone(UTC)
        if moment >= until or (fired and moment <= fired[-1]):
            return fired
        fired.append(moment)
    return fired


def differ_only_after_midnight_gaps(zone, walked, fired):
    """Whether all that one has and the other has not lies in the hour after a gap that began at midnight."""

    def follows_a_gap(moment):
        for back in range(60):
            after, before = moment - MINUTE * back, moment - MINUTE * (back + 1)
            gap = after.astimezone(zone).utcoffset() - before.astimezone(zone).utcoffset()
            if gap > timedelta(0):
                begins = (before.astimezone(zone).replace(tzinfo=None) + MINUTE).time()
                return begins == datetime.min.time()
        return False

    return all(follows_a_gap(moment) for moment in set(walked) ^ set(fired))


def known_fault(expression, zone, start, until, walked, fired):
    offsets = [(start + timedelta(minutes=15 * i)).astimezone(zone).utcoffset() for i in range(-24, (until - start) // MINUTE // 15)]
    steps = {abs(b - a) for a, b in zip(offsets, offsets[1:]) if a != b}
    local = start.astimezone(zone)
    if any(moment <= start for moment in fired) or (local.fold == 1 and not Entry(expression).wild):
        return "second-pass"
    if Entry(expression).wild and str(zone) == "Pacific/Chatham":
        return "circle"
    if Entry(expression).wild and any(step % timedelta(hours=1) for step in steps):
        return "half-hour"
    if Entry(expression).wild and differ_only_after_midnight_gaps(zone, walked, fired):
        return "midnight-gap"
    return None


def case(expression, zone_name, start, until):
    zone = ZoneInfo(zone_name)
    walked = walk(expression, zone, start, until)
    fired = by_cronsim(expression, zone, start, until)
    result = {"cron": expression, "zone": zone_name, "from": text_of(start), "until": text_of(until), "firings": [text_of(m) for m in walked]}
    if fired != walked:
        fault = known_fault(expression, zone, start, until, walked, fired)
        if fault is None:
            sys.exit(f"cronsim and the walk differ, by no known fault: {result}\ncronsim: {[text_of(m) for m in fired][:50]}"[:4000])
        result["decided"] = fault
    return result


ZONES = """Europe/Berlin Europe/Dublin America/New_York America/St_Johns America/Santiago America/Sao_Paulo Asia/Beirut
Africa/Cairo Australia/Lord_Howe Australia/Adelaide Pacific/Chatham Antarctica/Troll Asia/Kathmandu Asia/Tokyo UTC""".split()
EXPRESSIONS = """0 0 * * *|30 2 * * *|0,30 2 * * *|0 1,2,3 * * *|15 0-3 * * *|45 1 * * *|59 23 * * *|0 * * * *|30 * * * *
*/20 2 * * *|0 */2 * * *|*/30 0-4 * * *|7-59/13 */3 * * *|0 2 * * 0|0 0 1,15 * 1|30 2 */2 * 0-3|0 0 1-7 * */7|0 3 29 3 *
0 12 * 10 6""".replace("\n", "|").split("|")


def changes(zone, first, last):
    found, moment = [], first
    while moment < last:
        if moment.astimezone(zone).utcoffset() != (moment + MINUTE * 15).astimezone(zone).utcoffset():
            found.append(moment + MINUTE * 15)
        moment += MINUTE * 15
    return found


def vectors():
    cases = []
    for zone_name in ZONES:
        zone = ZoneInfo(zone_name)
        around = changes(zone, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
        for change in around or [datetime(2026, 3, 1, tzinfo=UTC)]:
            for expression in EXPRESSIONS:
                start = change - timedelta(hours=4)
                cases.append(case(expression, zone_name, start, start + timedelta(hours=30)))
            # From inside the change, and from just after it.
            for expression in EXPRESSIONS[:8]:
                for start in (change - timedelta(minutes=20), change + timedelta(minutes=10), change + timedelta(minutes=45)):
                    cases.append(case(expression, zone_name, start, start + timedelta(hours=27)))
    return cases


def made_up(seed, count):
    dice = random.Random(seed)

    def field(low, high):
        def entry():
            a, b = sorted((dice.randint(low, high), dice.randint(low, high)))
            return dice.choice(["*", f"*/{dice.randint(1, high)}", str(a), str(a), f"{a}-{b}", f"{a}-{b}/{dice.randint(1, 7)}" if a < b else str(a)])

        return ",".join(entry() for _ in range(dice.choice((1, 1, 1, 2, 3))))

    known = {name: changes(ZoneInfo(name), datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)) for name in ZONES}
    for _ in range(count):
        zone_name = dice.choice(ZONES)
        anywhere = datetime(2026, 1, 1, tzinfo=UTC) + MINUTE * dice.randint(0, 2 * 365 * 1440)
        start = dice.choice(known[zone_name] or [anywhere]) - MINUTE * dice.randint(-120, 2000)
        expression = " ".join((field(0, 59), field(0, dice.choice((4, 23))), dice.choice(("*", field(1, 28))), dice.choice(("*", "*", field(1, 12))), dice.choice(("*", field(0, 7)))))
        yield case(expression, zone_name, start, start + timedelta(hours=40))


if __name__ == "__main__":
    if sys.argv[1] == "write":
        with open(sys.argv[2], "w") as file:
            file.write("[\n" + ",\n".join(json.dumps(one, separators=(",", ":")) for one in vectors()) + "\n]\n")
    else:
        for one in made_up(int(sys.argv[2]), int(sys.argv[3])):
            print(json.dumps(one))
