/** The documents that the API hands on as they are: a plan, a task's result, the overview. Their shapes are those of `--json`. */
import type { components, paths } from "./schema.gen";

type Json<T> = T extends { content: { "application/json": infer J } } ? J : never;
type Ok<T> = T extends { responses: infer R } ? (R extends { 200: infer O } ? Json<O> : R extends { 202: infer A } ? Json<A> : R extends { 201: infer C } ? Json<C> : never) : never;
type Get<P extends keyof paths> = paths[P] extends { get: infer G } ? Ok<G> : never;

export type Problem = components["schemas"]["Problem"];
export type Run = Get<"/api/v1/runs">["runs"][number];
export type Job = Get<"/api/v1/jobs">["jobs"][number];
export type Tick = Get<"/api/v1/ticks">["ticks"][number];
export type Pause = Get<"/api/v1/pauses">["pauses"][number];
export type Schedule = Get<"/api/v1/schedules">["schedules"][number];
export type Hold = Get<"/api/v1/holds">["holds"][number];
export type Freeze = Get<"/api/v1/freezes">["freezes"][number];
export type Approval = Get<"/api/v1/approvals">["approvals"][number];
export type AuditLine = Get<"/api/v1/audit">["lines"][number];
export type User = Get<"/api/v1/users">["users"][number];
export type Token = Get<"/api/v1/tokens">["tokens"][number];
export type Operation = Get<"/api/v1/operations/{operation}">;
export type Me = Get<"/api/v1/me">;
export type Role = User["role"];
export type Status = Run["status"];

export interface Amount {
  items: number;
  bytes: number | null;
}
export interface Skip {
  reason: string;
  items: number;
  examples: string[];
}
export interface Failure {
  kind: string;
  message: string;
  hint?: string;
  code?: string;
  page?: string;
}
export interface Forecast {
  trend: "unknown" | "keeping_up" | "catching_up" | "standing_still" | "losing_ground";
  backlog: Amount;
  nights: number | null;
  reason: string;
}
export interface TaskResult {
  task: string;
  status: string;
  needs: string[];
  notes: string[];
  planned: Amount;
  done: Amount;
  skipped: Skip[];
  error: Failure | null;
}
export interface Step {
  task: string;
  status: "ready" | "not_configured" | "off" | "failed";
  target: string;
  age: string;
  strategy: string;
  filter: string;
  reason: string;
  cutoff: string | null;
  final: boolean;
  planned: Amount;
  population: number | null;
  oldest: string | null;
  newest: string | null;
  samples: { item: string; at: string | null; size: number | null }[];
  skipped: Skip[];
  consequences?: { target: string; what: string; rows: number }[];
  notes: string[];
  needs: string[];
  brake?: Failure | null;
  error: Failure | null;
  forecast?: Forecast | null;
}
export interface Plan {
  job: string;
  made: string;
  environment: string;
  digest?: string;
  tasks: Step[];
}
export interface Progress {
  task: string;
  done: Amount;
  planned: Amount;
}
export type RunDetail = Run & { tasks: TaskResult[]; dagster_url: string | null; progress: Progress | null };
export type ApprovalDetail = Approval & { plan: Plan | null };
export interface Overview {
  attention: string[];
  backups: { job: string; task: string; newest: string | null; age_seconds: number | null; proved: string | null; proof_age_seconds: number | null; stale: boolean }[];
  jobs: { job: string; last: Run | null; last_success: string | null; parts: Run[] }[];
  forecasts: (Forecast & { job: string; task: string })[];
  freezes: string[];
  holds: number;
  ledger: string;
  state: { folder: string; ledger: number; run_logs: number; plans: number; removal_lists: number; other: number };
}
export interface ArchiveList {
  archives: string[];
  runs: { archive: string; began: string; bytes: number; finished: boolean; items: number; run: string; table: string; task: string }[];
}
/** A backup's manifest, and what is known of it. */
export interface Backup {
  /** "app/20261129T000000Z-4f2a91": its folder, and its run. */
  id: string;
  run: string;
  task: string;
  name: string;
  store: string;
  database: string;
  server: string;
  client: string;
  begun: string;
  ended: string;
  tables: number;
  rows: number;
  bytes: number;
  standing: "restored" | "read" | "not proved" | "bad";
  /** The oldest first. */
  proofs: { depth: "bytes" | "restore"; at: string; faults: string[] }[];
  by_hand: string[];
}
export interface BackupList {
  stores: string[];
  backups: Backup[];
}
export interface LogLine {
  at: string;
  level: string;
  task?: string;
  text: string;
  [more: string]: unknown;
}
