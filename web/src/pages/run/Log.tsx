import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { ApiError, base, problemOf, unreachable } from "../../api/client";
import type { LogLine, RunDetail } from "../../api/documents";
import { amount, clock } from "../../format";
import { inputLook } from "../../parts/Button";
import { Empty, Loaded } from "../../parts/Problem";
import { zone } from "../../preferences";
import { run as route } from "../../routes";
import { details, matches, parseLine } from "./logLines";

interface Read {
  lines: LogLine[];
  offset: number;
  more: boolean;
}

/** The log from where it was last read on: a log that grows is never read twice. */
async function readOn(id: string, before: Read | undefined): Promise<Read> {
  const read: Read = before ? { ...before, lines: [...before.lines] } : { lines: [], offset: 0, more: true };
  const address = new URL(`api/v1/runs/${encodeURIComponent(id)}/log?offset=${read.offset}`, base);
  const answer = await fetch(address).catch(() => {
    throw new ApiError(unreachable);
  });
  const body = await answer.text();
  if (!answer.ok) {
    let problem: unknown = null;
    try {
      problem = JSON.parse(body);
    } catch {
      // a proxy's own page: the status has to do
    }
    throw new ApiError(problemOf(problem, answer.status));
  }
  for (const line of body.split("\n")) if (line !== "") read.lines.push(parseLine(line));
  return { lines: read.lines, offset: Number(answer.headers.get("X-Next-Offset") ?? read.offset), more: answer.headers.get("X-More") === "true" };
}

export function Log({ run }: { run: RunDetail }) {
  const queries = useQueryClient();
  const isOpen = run.ended === null;
  const key = ["log", run.run, isOpen ? "open" : "ended"];
  const found = useQuery({
    queryKey: key,
    queryFn: () => readOn(run.run, queries.getQueryData<Read>(key) ?? queries.getQueryData<Read>(["log", run.run, "open"])),
    enabled: run.status !== "queued",
    staleTime: 0,
    structuralSharing: false,
    refetchInterval: (query) => (query.state.data?.more ? 50 : isOpen ? 1_000 : false),
  });
  if (run.status === "queued") return <Empty title="It has not begun" />;
  return (
    <Loaded query={found}>{(read) => <Lines run={run} lines={read.lines} isOpen={isOpen} />}</Loaded>
  );
}

const colour: Record<string, string> = { warning: "text-warn", error: "text-bad" };

function Lines({ run, lines, isOpen }: { run: RunDetail; lines: LogLine[]; isOpen: boolean }) {
  const search = route.useSearch();
  const navigate = useNavigate();
  const shownZone = zone.use();
  const filter = { q: search.q ?? "", level: search.level ?? "", task: search.task ?? "" };
  const shown = useMemo(() => lines.filter((line) => matches(line, filter)), [lines, filter.q, filter.level, filter.task]);
  const change = (next: Partial<typeof filter>) => {
    const merged = Object.fromEntries(Object.entries({ ...filter, ...next }).filter(([, value]) => value !== ""));
    void navigate({ to: "/runs/$run", params: { run: run.run }, search: merged, replace: true, resetScroll: false });
  };
  const [follows, setFollows] = useState(isOpen);
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({ count: shown.length, getScrollElement: () => box.current, estimateSize: () => 26, overscan: 20 });
  useEffect(() => {
    if (follows && shown.length > 0) rows.scrollToIndex(shown.length - 1);
  }, [follows, shown.length, rows]);
  const tasks = [...new Set(lines.map((line) => line.task).filter((task) => task !== undefined))];
  return (
    <div className="card">
      <div className="flex flex-wrap items-center gap-2 border-b border-line p-3">
        <input type="search" aria-label="Search the log" placeholder="Search" className={`${inputLook} w-48!`} value={filter.q} onChange={(event) => change({ q: event.target.value })} />
        <select aria-label="Level" className={`${inputLook} w-auto!`} value={filter.level} onChange={(event) => change({ level: event.target.value })}>
          <option value="">all levels</option>
          <option value="warning">warnings and errors</option>
          <option value="error">errors</option>
        </select>
        {tasks.length > 1 && (
          <select aria-label="Task" className={`${inputLook} w-auto!`} value={filter.task} onChange={(event) => change({ task: event.target.value })}>
            <option value="">all tasks</option>
            {tasks.map((task) => (
              <option key={task}>{task}</option>
            ))}
          </select>
        )}
        <label className="inline-flex items-center gap-1.5 text-sm">
          <input type="checkbox" className="accent-accent" checked={follows} onChange={(event) => setFollows(event.target.checked)} /> Follow
        </label>
        <span className="ml-auto text-sm text-muted tabular-nums" role="status">
          {shown.length === lines.length ? `${lines.length} lines` : `${shown.length} of ${lines.length} lines`}
        </span>
        <a className="link text-sm" href={new URL(`api/v1/runs/${run.run}/log`, base).href} download={`${run.run}.jsonl`}>
          Download
        </a>
      </div>
      <div ref={box} tabIndex={0} role="log" aria-label="Log" className="h-96 overflow-auto font-mono text-[0.8125rem]" onWheel={(event) => event.deltaY < 0 && setFollows(false)}>
        {shown.length === 0 && <p className="p-4 text-muted">{lines.length === 0 ? "It has said nothing yet." : "No line is like that."}</p>}
        <div className="relative" style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map((item) => {
            const line = shown[item.index]!;
            return (
              <div key={item.index} ref={rows.measureElement} data-index={item.index} className={`absolute inset-x-0 flex gap-3 px-4 py-0.5 hover:bg-raised ${colour[line.level] ?? ""}`} style={{ transform: `translateY(${item.start}px)` }}>
                <span className="shrink-0 text-muted tabular-nums">{line.at && `${clock(line.at, shownZone)}:${line.at.slice(17, 19)}`}</span>
                <span className="w-36 shrink-0 truncate text-muted" title={line.task}>
                  {line.task}
                </span>
                <span className="min-w-0 break-words">
                  {line.level !== "info" && <span className="font-semibold">{line.level}: </span>}
                  {line.text} <span className="text-muted">{details(line, amount)}</span>
                </span>
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
