import { describe, expect, it } from "vitest";
import type { Backup } from "../../api/documents";
import { nights, restoreCommand } from "./nights";

const now = Date.parse("2026-11-29T12:00:00Z");
const aBackup = (begun: string, more: Partial<Backup> = {}): Backup => ({
  format: 1,
  kind: "backup",
  identity: "",
  encoding: "UTF8",
  database_size: 1,
  snapshot: "",
  lsn: "",
  objects: [],
  large_objects: 0,
  steward: "",
  id: `app/${begun}`,
  run: begun,
  task: "nightly",
  name: "app",
  store: "file:///srv/backups",
  database: "postgresql://app@db/app",
  server: "PostgreSQL 15.18",
  client: "pg_dump (PostgreSQL) 15.18",
  begun,
  ended: begun,
  tables: 1,
  rows: 1,
  bytes: 1,
  standing: "not proved",
  proofs: [],
  by_hand: [],
  ...more,
});
const shown = (given: Partial<Parameters<typeof nights>[0]>) => nights({ backups: [], runs: [], ticks: [], now, ...given }).map((night) => `${night.day.slice(8)} ${night.is}${night.reason ? `: ${night.reason}` : ""}`);

describe("a night", () => {
  it("was made, or is missing, or its backup is bad", () =>
    expect(shown({ backups: [aBackup("2026-11-25T00:00:05Z"), aBackup("2026-11-27T00:00:05Z", { standing: "bad" }), aBackup("2026-11-28T00:00:05Z", { standing: "restored" })] })).toEqual(["25 made", "26 missing", "27 bad", "28 made", "29 open"]));
  it("is what the newest of its backups is", () =>
    expect(shown({ backups: [aBackup("2026-11-29T09:00:00Z"), aBackup("2026-11-29T00:00:05Z", { standing: "bad" })] })).toEqual(["29 made"]));
  it("whose run succeeded had a backup that a rule has removed since", () =>
    expect(shown({ backups: [aBackup("2026-11-29T00:00:05Z")], runs: [{ status: "succeeded", started: "2026-11-28T00:00:00Z" }] })).toEqual(["28 removed", "29 made"]));
  it("whose run failed is missing", () =>
    expect(shown({ backups: [aBackup("2026-11-27T00:00:05Z")], runs: [{ status: "failed", started: "2026-11-28T00:00:00Z" }] })).toEqual(["27 made", "28 missing", "29 open"]));
  it("on which nothing was due is not missing, and one that did not fire says why", () =>
    expect(
      shown({
        backups: [aBackup("2026-11-22T00:00:05Z")],
        ticks: [
          { tick: "2026-11-22T00:00:00Z", outcome: "fired", reason: "" },
          { tick: "2026-11-29T00:00:00Z", outcome: "paused", reason: "paused: a move" },
        ],
      }),
    ).toEqual(["22 made", "23 none", "24 none", "25 none", "26 none", "27 none", "28 none", "29 missing: paused: a move"]));
  it("is not there before anything is known", () => expect(shown({})).toEqual([]));
  it("of long ago is not shown", () => expect(shown({ backups: [aBackup("2026-01-01T00:00:05Z")] })).toHaveLength(35));
});

it("a restore names the policy where there are several", () => {
  const backup = aBackup("20261129T000000Z-4f2a91");
  expect(restoreCommand(backup, false)).toBe("steward backup restore app/20261129T000000Z-4f2a91 --to URL");
  expect(restoreCommand(backup, true)).toBe("steward backup restore app/20261129T000000Z-4f2a91 --task nightly --to URL");
  expect(restoreCommand({ ...backup, kind: "pgbackrest" }, false)).toBe("steward backup restore app/20261129T000000Z-4f2a91");
});
