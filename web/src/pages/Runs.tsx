import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import type { Run, Status as RunStatus } from "../api/documents";
import { allRuns, jobs, recentRuns } from "../api/queries";
import { Heading } from "../parts/Page";
import { Empty, Loaded } from "../parts/Problem";
import { inputLook } from "../parts/Button";
import { Status, wordsOf } from "../parts/Status";
import { Ago, Took } from "../parts/Time";
import { runs as route } from "../routes";
import { scopeOf } from "./run/RunTable";

const statuses: RunStatus[] = ["running", "queued", "waiting", "succeeded", "partial", "failed", "refused", "interrupted", "cancelled"];

export function Page() {
  const filter = route.useSearch();
  const navigate = useNavigate();
  const known = useQuery(jobs).data ?? [];
  const found = useInfiniteQuery(allRuns(filter));
  const newest = useQuery(recentRuns({ ...filter, limit: 100 })).data;
  const { data: fetched, refetch } = found;
  useEffect(() => {
    if (newest && fetched && hasGap(newest, fetched.pages[0]?.runs ?? [])) void refetch();
  }, [newest, fetched, refetch]);
  const change = (next: { job?: string | undefined; status?: RunStatus | undefined }) => {
    const merged = { ...filter, ...next };
    void navigate({ to: "/runs", search: { ...(merged.job ? { job: merged.job } : {}), ...(merged.status ? { status: merged.status } : {}) }, replace: true });
  };
  return (
    <>
      <Heading
        title="Runs"
        actions={
          <>
            <select aria-label="Job" className={`${inputLook} w-auto!`} value={filter.job ?? ""} onChange={(event) => change({ job: event.target.value || undefined })}>
              <option value="">every job</option>
              {known.map((job) => (
                <option key={job.job}>{job.job}</option>
              ))}
            </select>
            <select aria-label="State" className={`${inputLook} w-auto!`} value={filter.status ?? ""} onChange={(event) => change({ status: (event.target.value || undefined) as RunStatus | undefined })}>
              <option value="">every state</option>
              {statuses.map((status) => (
                <option key={status} value={status}>
                  {wordsOf(status)}
                </option>
              ))}
            </select>
          </>
        }
      />
      <Loaded query={found} rows={10}>
        {(pages) => {
          const runs = merged(newest ?? [], pages.pages.flatMap((page) => page.runs));
          if (runs.length === 0)
            return filter.job || filter.status ? (
              <Empty title="No run is like that">
                <Link to="/runs" className="link">
                  All runs
                </Link>
              </Empty>
            ) : (
              <Empty title="Nothing has run yet">
                Open a{" "}
                <Link to="/jobs" className="link">
                  job
                </Link>{" "}
                and look at its plan; what runs from there, from the schedule or from the command line stands here.
              </Empty>
            );
          return <List runs={runs} more={() => found.hasNextPage && !found.isFetchingNextPage && void found.fetchNextPage()} />;
        }}
      </Loaded>
    </>
  );
}

/** Pages that were fetched once, with what has come or changed since. Both newest first. Pure. */
export function merged(newest: Run[], pages: Run[]): Run[] {
  if (newest.length === 0) return pages;
  const known = new Set(newest.map((run) => run.run));
  // What is as new as these and not among them has left the filter since: it is not "running" any more.
  const oldest = newest.at(-1)!.run;
  return [...newest, ...pages.filter((run) => !known.has(run.run) && run.run < oldest)];
}

/** So many have come meanwhile that some are in neither. Pure. */
export const hasGap = (newest: Run[], pages: Run[]) => newest.length > 0 && pages.length > 0 && newest.at(-1)!.run > pages[0]!.run;

const columns = "grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 sm:grid-cols-[14rem_minmax(8rem,1fr)_11rem_8rem_7rem] sm:items-center";

/** Tens of thousands of runs: only those on the screen are in the page. */
function List({ runs, more }: { runs: Run[]; more: () => void }) {
  const list = useRef<HTMLDivElement>(null);
  const rows = useWindowVirtualizer({ count: runs.length, estimateSize: () => 53, overscan: 12, scrollMargin: list.current?.offsetTop ?? 0 });
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= runs.length - 30) more();
  }, [last, runs.length, more]);
  return (
    <div className="card">
      <div className={`${columns} hidden! border-b border-line px-4 py-2.5 text-[0.8125rem] font-medium text-muted sm:grid!`} aria-hidden="true">
        <span>Run</span>
        <span>Job</span>
        <span>State</span>
        <span>Started</span>
        <span className="text-right">Took</span>
      </div>
      <div ref={list} role="list" aria-label="Runs" style={{ height: rows.getTotalSize() }} className="relative">
        {shown.map((item) => {
          const run = runs[item.index]!;
          return (
            <div key={run.run} role="listitem" ref={rows.measureElement} data-index={item.index} className="absolute inset-x-0 border-b border-line" style={{ transform: `translateY(${item.start - rows.options.scrollMargin}px)` }}>
              <Link to="/runs/$run" params={{ run: run.run }} data-row className={`${columns} px-4 py-3 hover:bg-raised/60`}>
                <span className="font-mono text-[0.8125rem] whitespace-nowrap">{run.run}</span>
                <span className="truncate text-right sm:text-left" title={scopeOf(run)}>{scopeOf(run)}</span>
                <span>
                  <Status is={run.status} />
                </span>
                <span className="text-right sm:text-left">
                  <Ago at={run.started} />
                </span>
                <span className="num hidden sm:inline">{run.status === "queued" ? "–" : <Took from={run.started} to={run.ended} />}</span>
              </Link>
            </div>
          );
        })}
      </div>
    </div>
  );
}
