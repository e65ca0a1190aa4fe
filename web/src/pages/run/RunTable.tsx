import { Link } from "@tanstack/react-router";
import type { Run } from "../../api/documents";
import { Table } from "../../parts/Page";
import { Status } from "../../parts/Status";
import { Ago, Took } from "../../parts/Time";

export const scopeOf = (run: Run) => (run.scope === null ? run.job : `${run.job}/${run.scope.join(",")}`);

export function RunTable({ runs }: { runs: Run[] }) {
  return (
    <Table label="Runs" head={["Run", "Job", "State", "Started", "Took", "By"]} numeric={[4]}>
      {runs.map((run) => (
        <RunRow key={run.run} run={run} />
      ))}
    </Table>
  );
}

export function RunRow({ run }: { run: Run }) {
  return (
    <tr>
      <td>
        <Link to="/runs/$run" params={{ run: run.run }} data-row className="font-mono text-[0.8125rem] whitespace-nowrap hover:underline">
          {run.run}
        </Link>
      </td>
      <td className="break-words">{scopeOf(run)}</td>
      <td>
        <Status is={run.status} />
      </td>
      <td>
        <Ago at={run.started} />
      </td>
      <td className="num">{run.status === "queued" ? "–" : <Took from={run.started} to={run.ended} />}</td>
      <td className="text-sm text-muted">
        {run.actor} <span className="whitespace-nowrap">({run.trigger})</span>
      </td>
    </tr>
  );
}
