/** The API's documents by the names that pages use. All are made from the OpenAPI document: a drift is an error of the build. */
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
export type Delivery = Get<"/api/v1/notifications">["deliveries"][number];
export type Channel = Get<"/api/v1/notifications/channels">["channels"][number];
export type Tonight = Get<"/api/v1/tonight">["plans"][number];
export type Stays = Get<"/api/v1/staying">["staying"][number];
export type RunItem = Get<"/api/v1/runs/{run}/items">["items"][number];
export type Me = Get<"/api/v1/me">;
export type Role = User["role"];
export type Status = Run["status"];

export type Amount = Progress["done"];
export type Skip = TaskResult["skipped"][number];
export type Failure = components["schemas"]["Plan"]["tasks"][number]["error"] & {};
export type TaskResult = RunDetail["tasks"][number];
export type Plan = components["schemas"]["Plan"];
export type Step = Plan["tasks"][number];
export type Progress = RunDetail["progress"] & {};
export type RunDetail = Get<"/api/v1/runs/{run}">;
export type ApprovalDetail = Get<"/api/v1/approvals/{run}">;
export type Overview = Get<"/api/v1/overview">;
export type ArchiveList = components["schemas"]["ArchiveList"];
export type ArchiveVerdict = components["schemas"]["ArchiveVerdict"];
/** Rows in cold storage. What JSON cannot hold: {"blob": base64}, {"real": "inf"}, {"bytes": base64}. */
export type RowPage = components["schemas"]["ArchivePage"];
export type ArchivedRow = RowPage["rows"][number];
export type RunResult = components["schemas"]["RunResult"];
export type ChannelTest = components["schemas"]["ChannelTest"];
export type BackupList = components["schemas"]["BackupList"];
export type Backup = BackupList["backups"][number];
export interface LogLine {
  at: string;
  level: string;
  task?: string;
  text: string;
  [more: string]: unknown;
}
