/**
 * What happens, as it happens: one stream of server-sent events for the whole page. Each event only says what is stale now, so one
 * that was lost costs a moment and never a wrong page. While there is no stream, queries poll, and the page says so.
 */
import type { QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { base } from "./client";
import type { RunDetail } from "./documents";

export type Connection = "connecting" | "live" | "lost";

let connection: Connection = "connecting";
const listeners = new Set<() => void>();
function become(next: Connection) {
  if (next === connection) return;
  connection = next;
  for (const listener of listeners) listener();
}
export const isLive = () => connection === "live";
export const useConnection = () =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => connection,
  );

/** Which queries an act of the audit trail makes stale: the first parts of their keys. Pure. */
export function staleAfter(act: string): string[] {
  const group = act.split(".")[0] ?? "";
  switch (group) {
    case "run":
      return ["runs", "run", "overview", "ticks", "approvals", "approval", "audit"];
    case "approval":
      return ["approvals", "approval", "runs", "run", "overview", "audit"];
    case "hold":
    case "archive":
      return ["holds", "overview", "audit"];
    case "freeze":
      return ["freezes", "overview", "audit"];
    case "job":
      return ["pauses", "overview", "jobs", "audit"];
    case "user":
    case "token":
      return ["users", "tokens", "audit"];
    default:
      return ["overview", "audit"];
  }
}

/** The acts that the trail knows: EventSource hands out events by name alone. */
const acts = [
  ..."run.begin run.end run.cancel".split(" "),
  ..."approval.ask approval.approve approval.reject approval.expire approval.break-glass".split(" "),
  ..."hold.add hold.release freeze.set freeze.lift job.pause job.resume archive.adopt archive.restore archive.forget".split(" "),
  ..."user.add user.remove user.role user.password user.disable user.enable user.set-up user.sign-in user.sign-out token.add token.revoke".split(" "),
];

/** Listens until the answer is called. */
export function listen(queries: QueryClient): () => void {
  const stale = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  // Events come in bursts (a run that begins and ends): one question for all of them.
  const refresh = (keys: string[]) => {
    for (const key of keys) stale.add(key);
    timer ??= setTimeout(() => {
      timer = undefined;
      for (const key of stale) void queries.invalidateQueries({ queryKey: [key] });
      stale.clear();
    }, 150);
  };
  let opened = false;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let source: EventSource | undefined;
  const connect = () => {
    source = new EventSource(new URL("api/v1/events", base), { withCredentials: true });
    source.onopen = () => {
      // What happened while there was no stream is not known: everything that is on the page is asked for again.
      if (opened) void queries.invalidateQueries();
      opened = true;
      become("live");
    };
    source.onerror = () => {
      become(opened ? "lost" : "connecting");
      // The browser tries again by itself after a lost connection, but not after an answer like 502.
      if (source?.readyState === EventSource.CLOSED) retry = setTimeout(connect, 3_000);
    };
    for (const act of acts) source.addEventListener(act, () => refresh(staleAfter(act)));
    source.addEventListener("run.progress", (event) => {
      const run = JSON.parse((event as MessageEvent<string>).data) as RunDetail;
      queries.setQueryData<RunDetail>(["run", run.run], (known) => known && { ...known, ...run, tasks: known.tasks });
    });
  };
  connect();
  return () => {
    clearTimeout(timer);
    clearTimeout(retry);
    source?.close();
    become("connecting");
  };
}
