import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { recentRuns } from "../../api/queries";
import { RunBars } from "../../parts/RunBars";
import { Empty, Loaded } from "../../parts/Problem";
import { RunTable } from "../run/RunTable";

export function History({ job }: { job: string }) {
  const found = useQuery(recentRuns({ job, limit: 100 }));
  return (
    <Loaded query={found}>
      {(runs) =>
        runs.length === 0 ? (
          <Empty title="It has not run yet" />
        ) : (
          <>
            <div className="card mb-3 p-4">
              <p className="mb-2 text-sm text-muted">How long the last {Math.min(100, runs.length)} runs took</p>
              <RunBars runs={runs} most={100} className="h-16 w-full" />
            </div>
            <RunTable runs={runs.slice(0, 30)} />
            <p className="mt-3">
              <Link to="/runs" search={{ job }} className="link">
                All runs of {job}
              </Link>
            </p>
          </>
        )
      }
    </Loaded>
  );
}
