import { describe, expect, it } from "vitest";
import { amount } from "../../format";
import { details, matches, parseLine } from "./logLines";

const line = parseLine('{"at":"2026-11-25T18:33:03Z","level":"warning","task":"purge-logs","text":"began","planned":{"items":5,"bytes":6420}}');

describe("the log of a run", () => {
  it("keeps a line that was cut off as it stands", () => {
    expect(parseLine('{"at":"2026-1')).toEqual({ at: "", level: "warning", text: '{"at":"2026-1' });
  });
  it.each([
    [{ q: "", level: "", task: "" }, true],
    [{ q: "BEGAN", level: "", task: "" }, true],
    [{ q: "6420", level: "", task: "" }, true],
    [{ q: "gone", level: "", task: "" }, false],
    [{ q: "", level: "warning", task: "" }, true],
    [{ q: "", level: "error", task: "" }, false],
    [{ q: "", level: "", task: "purge-signals" }, false],
  ])("with %o a line is shown: %s", (filter, shown) => expect(matches(line, filter)).toBe(shown));
  it("says what else a line knows, in words", () => {
    expect(details(line, amount)).toBe("planned 5 items, 6.3 KiB");
  });
});
