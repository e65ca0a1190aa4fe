/** What became of each night, for the strip of them. All pure. */
import type { Backup, Run, Tick } from "../../api/documents";

export interface Night {
  /** Of UTC: "2026-11-29". */
  day: string;
  /** `removed`: it was made, and a rule has let it go since. `open`: today, and nothing has come yet. `none`: nothing was due. */
  is: "made" | "bad" | "removed" | "missing" | "open" | "none";
  backup?: Backup;
  /** Why it is missing, where the schedule knows. */
  reason?: string;
}

const dayOf = (instant: string) => new Date(instant).toISOString().slice(0, 10);
const oneDay = 86_400_000;

/** The last nights of one policy, oldest first, from the first that anything is known of. Where the schedule has no ticks (cron starts the job), each day is due. */
export function nights({ backups, runs, ticks, now, most = 35 }: { backups: Backup[]; runs: Pick<Run, "status" | "started">[]; ticks: Pick<Tick, "tick" | "outcome" | "reason">[]; now: number; most?: number }): Night[] {
  const made = new Map<string, Backup>();
  for (const backup of [...backups].sort((a, b) => a.begun.localeCompare(b.begun))) made.set(dayOf(backup.begun), backup);
  const succeeded = new Set(runs.filter((run) => run.status === "succeeded").map((run) => dayOf(run.started)));
  const due = new Map(ticks.map((tick) => [dayOf(tick.tick), tick] as const));
  const first = [...made.keys(), ...succeeded, ...due.keys()].sort()[0];
  if (first === undefined) return [];
  const today = dayOf(new Date(now).toISOString());
  const out: Night[] = [];
  for (let at = now - (most - 1) * oneDay; dayOf(new Date(at).toISOString()) <= today; at += oneDay) {
    const day = dayOf(new Date(at).toISOString());
    if (day < first) continue;
    const backup = made.get(day);
    const tick = due.get(day);
    if (backup) out.push({ day, is: backup.standing === "bad" ? "bad" : "made", backup });
    else if (succeeded.has(day)) out.push({ day, is: "removed" });
    else if (day === today && (!tick || tick.outcome === "fired")) out.push({ day, is: "open" });
    else if (tick || due.size === 0) out.push({ day, is: "missing", ...(tick && tick.outcome !== "fired" ? { reason: tick.reason || tick.outcome } : {}) });
    else out.push({ day, is: "none" });
  }
  return out;
}

/** A whole cluster, which is neither of tables nor in a store of steward's. */
export const ofPgBackRest = (backup: Pick<Backup, "kind">) => backup.kind === "pgbackrest";

/** What to type to bring it back; `isOneOfSeveral`: there are more policies than one. */
export const restoreCommand = (backup: Backup, isOneOfSeveral: boolean, isCopy = false) => `steward backup restore ${backup.id}${isOneOfSeveral ? ` --task ${backup.task}` : ""}${isCopy ? " --copy" : ""}${ofPgBackRest(backup) ? "" : " --to URL"}`;
