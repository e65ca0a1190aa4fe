import { describe, expect, it } from "vitest";
import type { Run } from "../api/documents";
import { hasGap, merged } from "./Runs";

const run = (id: string, status: Run["status"] = "succeeded") => ({ run: id, status }) as Run;
const ids = (runs: Run[]) => runs.map((each) => each.run);

describe("a list of runs whose pages are fetched once", () => {
  const pages = [run("5", "running"), run("4"), run("3"), run("2"), run("1")];
  it("begins with what has come since, and shows what has changed as it is now", () => {
    const all = merged([run("6"), run("5"), run("4")], pages);
    expect(ids(all)).toEqual(["6", "5", "4", "3", "2", "1"]);
    expect(all[1]!.status).toBe("succeeded");
  });
  it("leaves out what the filter does not cover any more", () => expect(ids(merged([run("6"), run("4")], pages))).toEqual(["6", "4", "3", "2", "1"]));
  it("is what the pages say as long as nothing else is known", () => expect(merged([], pages)).toBe(pages));
  it("is fetched anew where so many have come that some are in neither", () => {
    expect(hasGap([run("9"), run("8")], pages)).toBe(true);
    expect(hasGap([run("6"), run("5")], pages)).toBe(false);
    expect(hasGap([], pages)).toBe(false);
  });
});
