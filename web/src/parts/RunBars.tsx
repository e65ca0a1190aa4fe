import { useNavigate } from "@tanstack/react-router";
import type { Run } from "../api/documents";
import { exact, span } from "../format";
import { zone } from "../preferences";
import { toneOf, wordsOf } from "./Status";

const fill = { good: "fill-good", warn: "fill-warn", bad: "fill-bad", calm: "fill-calm", plain: "fill-strong-line" } as const;

/** The last runs of a job, oldest first: how high is how long, by the root, so that one slow night does not flatten all others. A click opens a run; for keys and
 *  screen readers the list of runs is the way. */
export function RunBars({ runs, most = 30, className = "h-8 w-40" }: { runs: Run[]; most?: number; className?: string }) {
  const shownZone = zone.use();
  const navigate = useNavigate();
  const shown = runs.slice(0, most).reverse();
  // What waits for a person takes no time of the machine's: its days would flatten all others.
  const took = shown.map((run) => (run.status === "waiting" ? 0 : Math.sqrt(Math.max(0, Date.parse(run.ended ?? new Date().toISOString()) - Date.parse(run.started)))));
  const longest = Math.max(1, ...took);
  const width = 100 / most;
  const good = shown.filter((run) => run.status === "succeeded").length;
  return (
    <svg viewBox="0 0 100 24" preserveAspectRatio="none" className={className} role="img" aria-label={`${good} of the last ${shown.length} runs succeeded`}>
      {shown.map((run, index) => {
        const high = 3 + 21 * ((took[index] ?? 0) / longest);
        return (
          <g key={run.run} className="cursor-pointer" onClick={() => void navigate({ to: "/runs/$run", params: { run: run.run } })}>
            <rect x={(most - shown.length + index) * width} y={0} width={width} height={24} fill="transparent">
              <title>{`${exact(run.started, shownZone)}: ${wordsOf(run.status)}${run.ended ? `, ${span(Date.parse(run.ended) - Date.parse(run.started))}` : ""}`}</title>
            </rect>
            <rect x={(most - shown.length + index) * width + width * 0.12} y={24 - high} width={width * 0.76} height={high} rx={0.6} className={`${fill[toneOf(run.status)]} pointer-events-none`} />
          </g>
        );
      })}
    </svg>
  );
}
