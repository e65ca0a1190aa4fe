import { describe, expect, it } from "vitest";
import type { ArchivedRow } from "../../api/documents";
import { fileAddress, gistOf, isPicture, mostShown, valueOf } from "./rows";

const row: ArchivedRow = {
  archive: "s3://cold/shop",
  run: "20261123T030000Z-4f2a91",
  task: "archive-mockups",
  table: "mockups",
  key: "17",
  archived: "2026-11-23T03:00:00Z",
  row: { id: 17, title: "A poster", note: null, price: 1.5, big: "x".repeat(100) },
  file: { copy: "mockups/2025/06/17-a b&c.png", source: "/srv/media/a b&c.PNG", sha256: "ab".repeat(32), bytes: 7028 },
  file_missing: false,
  referring: [],
};

describe("an archived row", () => {
  it("shows what JSON cannot hold in words", () => {
    expect(valueOf({ blob: "AP8=" })).toBe("3 bytes");
    expect(valueOf({ real: "-inf" })).toBe("-inf");
    expect(valueOf({ bytes: "YWI=" })).toBe("ab");
    expect(valueOf([1, 2])).toBe("[1,2]");
    expect(valueOf(null)).toBe("");
  });
  it("is told by the columns that say something, and not by its key once more", () => {
    expect(gistOf(row)).toEqual([
      ["title", "A poster"],
      ["price", "1.5"],
      ["big", `${"x".repeat(59)}…`],
    ]);
  });
  it("shows a picture only of what may be one, and is not too large to be handed over", () => {
    expect(isPicture(row)).toBe(true);
    expect(isPicture({ ...row, file: null })).toBe(false);
    expect(isPicture({ ...row, file: { ...row.file!, source: "/srv/media/page.svg" } })).toBe(false);
    expect(isPicture({ ...row, file: { ...row.file!, bytes: mostShown + 1 } })).toBe(false);
  });
  it("has its file at an address in which every name is safe", () => {
    const address = new URL(fileAddress(row, new URL("https://ops.example/steward/")));
    expect(address.pathname).toBe("/steward/api/v1/archive/file");
    expect(address.searchParams.get("copy")).toBe("mockups/2025/06/17-a b&c.png");
    expect(address.searchParams.get("archive")).toBe("s3://cold/shop");
  });
});
