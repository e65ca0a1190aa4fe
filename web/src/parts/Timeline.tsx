import { Link } from "@tanstack/react-router";
import type { Run, Tick } from "../api/documents";
import { clock, exact, span } from "../format";
import { zone } from "../preferences";
import { toneOf, wordsOf } from "./Status";
import { useNow } from "./Time";

const hours = 24;
const back = { good: "bg-good", warn: "bg-warn", bad: "bg-bad", calm: "bg-calm", plain: "bg-strong-line" } as const;

/** Where an instant stands between 24 hours ago and in 24 hours, in percent; null outside. Pure. */
export function place(at: string, now: number): number | null {
  const share = ((Date.parse(at) - now) / 3_600_000 + hours) / (2 * hours);
  return share < 0 || share > 1 ? null : share * 100;
}

export interface Lane {
  job: string;
  runs: Run[];
  ticks: Tick[];
  firings: string[];
}

/** The past and the next 24 hours, a lane for each job: what ran, what did not although it was due, and what is to come. */
export function Timeline({ lanes }: { lanes: Lane[] }) {
  const now = Math.floor(useNow() / 60_000) * 60_000;
  const shown = zone.use();
  const marks = [-24, -18, -12, -6, 0, 6, 12, 18, 24];
  return (
    <div className="card overflow-x-auto p-4" tabIndex={0} role="region" aria-label="Timeline of runs">
      <div className="min-w-[36rem]">
        <div className="relative ml-32 h-5 text-xs text-muted">
          {marks.map((hour) => (
            <span key={hour} className={`absolute whitespace-nowrap ${hour === -24 ? "" : hour === 24 ? "-translate-x-full" : "-translate-x-1/2"}`} style={{ left: `${((hour + hours) / (2 * hours)) * 100}%` }}>
              {hour === 0 ? <strong className="text-ink">now</strong> : clock(new Date(now + hour * 3_600_000).toISOString(), shown)}
            </span>
          ))}
        </div>
        {lanes.map((lane) => (
          <div key={lane.job} className="flex items-center border-t border-line">
            <Link to="/jobs/$job" params={{ job: lane.job }} className="w-32 shrink-0 truncate py-2 pr-2 text-sm hover:underline">
              {lane.job}
            </Link>
            <div className="relative h-9 flex-1">
              <div aria-hidden="true" className="absolute inset-y-0 left-1/2 border-l border-dashed border-strong-line" />
              {lane.runs.map((run) => {
                const from = place(run.started, now);
                if (from === null) return null;
                const to = run.ended === null ? 50 : (place(run.ended, now) ?? from);
                const words = `${lane.job} ${exact(run.started, shown)}: ${wordsOf(run.status)}${run.ended ? `, ${span(Date.parse(run.ended) - Date.parse(run.started))}` : ""}`;
                return (
                  <Link key={run.run} to="/runs/$run" params={{ run: run.run }} title={words} aria-label={words} className={`absolute top-2 h-5 min-w-1.5 -translate-x-0.5 rounded-sm ${back[toneOf(run.status)]}`} style={{ left: `${from}%`, width: `${Math.max(0, to - from)}%` }} />
                );
              })}
              {lane.ticks.map((tick) => {
                const at = place(tick.tick, now);
                if (at === null) return null;
                const words = `${lane.job} was due ${exact(tick.tick, shown)} and did not run: ${tick.reason || wordsOf(tick.outcome)}`;
                return (
                  <span key={tick.tick} title={words} role="img" aria-label={words} className="absolute top-1.5 -translate-x-1/2 font-bold text-warn" style={{ left: `${at}%` }}>
                    ⊘
                  </span>
                );
              })}
              {lane.firings.map((firing) => {
                const at = place(firing, now);
                if (at === null || at < 50) return null;
                const words = `${lane.job} is due ${exact(firing, shown)}`;
                return <span key={firing} title={words} role="img" aria-label={words} className="absolute top-3 size-3 -translate-x-1/2 rounded-full border-2 border-accent bg-surface" style={{ left: `${at}%` }} />;
              })}
            </div>
          </div>
        ))}
        <p className="mt-2 flex flex-wrap gap-x-4 border-t border-line pt-2 text-xs text-muted">
          <span>bar: a run</span>
          <span>⊘ due, did not run</span>
          <span>○ to come</span>
        </p>
      </div>
    </div>
  );
}
