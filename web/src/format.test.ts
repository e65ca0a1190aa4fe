import { describe, expect, it } from "vitest";
import { ago, amount, bytes, clock, endOfDay, exact, plural, span } from "./format";

const now = Date.parse("2026-11-25T18:00:00Z");

describe("what people read", () => {
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [1536, "1.5 KiB"],
    [104857600, "100 MiB"],
    [5 * 1024 ** 4, "5 TiB"],
  ])("%d bytes are %s", (n, text) => expect(bytes(n)).toBe(text));

  it.each([
    [85, "85 ms"],
    [1_000, "1 s"],
    [125_000, "2 min 5 s"],
    [3_600_000, "1 h"],
    [3_605_000, "1 h"],
    [90_061_000, "1 d 1 h"],
  ])("%d ms are %s", (n, text) => expect(span(n)).toBe(text));

  it.each([
    ["2026-11-25T17:57:00Z", "3 min ago"],
    ["2026-11-25T18:00:02Z", "just now"],
    ["2026-11-26T03:00:00Z", "in 9 h"],
    ["2026-11-27T14:00:00Z", "in 44 h"],
    ["2026-10-25T18:00:00Z", "31 d ago"],
  ])("%s is %s", (at, text) => expect(ago(at, now)).toBe(text));

  it("writes an instant in UTC to the second, and leaves alone what is none", () => {
    expect(exact("2026-11-25T03:00:00.123Z", "utc")).toBe("2026-11-25 03:00:00 UTC");
    expect(exact("soon", "utc")).toBe("soon");
    expect(clock("2026-11-25T03:05:00Z", "utc")).toBe("03:05");
  });

  it("counts with the right word", () => {
    expect(plural(1, "row")).toBe("1 row");
    expect(plural(12408, "row")).toBe("12,408 rows");
    expect(amount({ items: 2, bytes: null }, "row")).toBe("2 rows");
    expect(amount({ items: 13, bytes: 91364 })).toBe("13 items, 89.2 KiB");
  });

  it.each([
    ["2027-02-28", "2027-02-28T23:59:59Z"],
    ["2027-13-01", null],
    ["tomorrow", null],
  ])("a day %s ends at %s", (date, end) => expect(endOfDay(date)).toBe(end));
});
