import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api, data } from "../api/client";
import type { ArchiveList, ArchiveVerdict } from "../api/documents";
import { useOperation } from "../api/operations";
import { bytes, count, plural } from "../format";
import { Button, inputLook, linkLook } from "../parts/Button";
import { Heading, Table } from "../parts/Page";
import { Empty, Loading, ProblemPanel } from "../parts/Problem";
import { Badge } from "../parts/Status";
import { At } from "../parts/Time";
import { archive as route } from "../routes";
import { Allowed } from "../session";
import { Restore, type Wanted } from "./archive/Restore";

type Kept = ArchiveList["runs"][number];

/** Those that a filter leaves. Pure. */
export function chosen(runs: Kept[], filter: { table?: string; month?: string; q?: string }): Kept[] {
  const q = filter.q?.toLowerCase() ?? "";
  return runs.filter(
    (run) => (!filter.table || run.table === filter.table) && (!filter.month || run.began.startsWith(filter.month)) && (q === "" || `${run.run} ${run.table} ${run.task} ${run.archive}`.toLowerCase().includes(q)),
  );
}

/** What lies in cold storage: by table, month and text; verify it, bring it back. */
export function Page() {
  const filter = route.useSearch();
  const navigate = useNavigate();
  const list = useOperation<ArchiveList>(() => data(api.POST("/api/v1/archive/list")));
  const verify = useOperation<ArchiveVerdict>(() => data(api.POST("/api/v1/archive/verify")));
  const [restoring, setRestoring] = useState<Wanted>();
  const { start } = list;
  useEffect(() => start(), []); // once, when the page opens: it reads the archive itself
  const runs = list.result?.runs ?? [];
  const shown = chosen(runs, filter);
  const change = (next: { [K in keyof typeof filter]?: string | undefined }) => {
    const merged = Object.fromEntries(Object.entries({ ...filter, ...next }).filter(([, value]) => value));
    void navigate({ to: "/archive", search: merged, replace: true });
  };
  const tables = [...new Set(runs.map((run) => run.table))];
  const months = [...new Set(runs.map((run) => run.began.slice(0, 7)))].sort().reverse();
  return (
    <>
      <Heading
        title="Archive"
        sub={list.result && `${list.result.archives.join(", ")}: ${plural(runs.reduce((all, run) => all + run.items, 0), "item")}, ${bytes(runs.reduce((all, run) => all + run.bytes, 0))}`}
        actions={
          <>
            <Allowed role="operator" to="Look at rows">
              <Link to="/archive/rows" className={linkLook}>
                Look at rows
              </Link>
            </Allowed>
            <Allowed role="operator" to="Verify">
              <Button busy={verify.isBusy} onClick={verify.start}>
                Verify every copy
              </Button>
            </Allowed>
            <Allowed role="administrator" to="Restore">
              <Button disabled={runs.length === 0} onClick={() => setRestoring({})}>
                Restore rows…
              </Button>
            </Allowed>
          </>
        }
      />
      {verify.error && <ProblemPanel error={verify.error} />}
      {verify.result && <Verdict verified={verify.result} />}
      {list.error && <ProblemPanel error={list.error} again={list.start} />}
      {list.isBusy && !list.result && <Loading />}
      {list.result && runs.length === 0 && (
        <Empty title="Nothing is archived yet">
          What a job archives is copied here, verified and recorded before it goes from where it was. Look at the plan of{" "}
          <Link to="/jobs/$job" params={{ job: "cleanup" }} className="link">
            cleanup
          </Link>
          .
        </Empty>
      )}
      {runs.length > 0 && (
        <>
          <div className="mb-3 flex flex-wrap gap-2">
            <input type="search" aria-label="Search the archive" placeholder="Search" className={`${inputLook} w-48!`} value={filter.q ?? ""} onChange={(event) => change({ q: event.target.value })} />
            <select aria-label="Table" className={`${inputLook} w-auto!`} value={filter.table ?? ""} onChange={(event) => change({ table: event.target.value })}>
              <option value="">every table</option>
              {tables.map((table) => (
                <option key={table}>{table}</option>
              ))}
            </select>
            <select aria-label="Month" className={`${inputLook} w-auto!`} value={filter.month ?? ""} onChange={(event) => change({ month: event.target.value })}>
              <option value="">every month</option>
              {months.map((month) => (
                <option key={month}>{month}</option>
              ))}
            </select>
          </div>
          <Table label="Archive" head={["Table", "Archived", "Items", "Bytes", "By", ""]} numeric={[2, 3]}>
            {shown.map((run) => (
              <tr key={run.run + run.table}>
                <td className="font-mono text-sm font-semibold">
                  <Link to="/archive/rows" search={{ run: run.run, table: run.table }} data-row className="link">
                    {run.table}
                  </Link>
                </td>
                <td>
                  <At at={run.began} seconds={false} />
                  {!run.finished && <Badge tone="warn">under way, or broken off</Badge>}
                </td>
                <td className="num">{count(run.items)}</td>
                <td className="num">{bytes(run.bytes)}</td>
                <td>
                  <Link to="/runs/$run" params={{ run: run.run }} className="link font-mono text-[0.8125rem]">
                    {run.run}
                  </Link>
                </td>
                <td className="text-right">
                  <Allowed role="administrator" to="Restore">
                    <Button look="quiet" onClick={() => setRestoring({ kept: run })}>
                      Restore…
                    </Button>
                  </Allowed>
                </td>
              </tr>
            ))}
          </Table>
          {shown.length === 0 && <Empty title="Nothing in the archive is like that" />}
        </>
      )}
      {restoring && <Restore of={restoring} tables={tables} onClose={() => setRestoring(undefined)} onDone={list.start} />}
    </>
  );
}

/** What reading every copy has come to. */
function Verdict({ verified }: { verified: ArchiveVerdict }) {
  const read = `${plural(verified.copies, "copy", "copies")} read, ${bytes(verified.bytes)}`;
  if (verified.faults.length === 0)
    return (
      <p role="status" className="card mb-4 border-good/40 px-4 py-3">
        <Badge tone="good">✓ verified</Badge> {read}: all are what was archived.
      </p>
    );
  return (
    <div role="alert" className="card mb-4 border-bad/50 px-4 py-3">
      <p>
        <Badge tone="bad">✕ damaged</Badge> {read}: {plural(verified.faults.length, "is", "are")} not what was archived.
      </p>
      <ul className="mt-2 list-disc space-y-1 pl-5 text-sm break-all">
        {verified.faults.map((fault) => (
          <li key={fault}>{fault}</li>
        ))}
      </ul>
    </div>
  );
}
