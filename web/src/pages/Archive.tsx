import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api, data } from "../api/client";
import type { ArchiveList } from "../api/documents";
import { useOperation } from "../api/operations";
import { bytes, count, plural } from "../format";
import { Button, Field, inputLook } from "../parts/Button";
import { Dialog } from "../parts/Dialog";
import { Heading, Table } from "../parts/Page";
import { Empty, Loading, ProblemPanel } from "../parts/Problem";
import { Badge } from "../parts/Status";
import { At } from "../parts/Time";
import { archive as route } from "../routes";
import { Allowed } from "../session";

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
  const verify = useOperation<Verified>(() => data(api.POST("/api/v1/archive/verify")));
  const [restoring, setRestoring] = useState<Restoring>();
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
                <td className="font-mono text-sm font-semibold">{run.table}</td>
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

interface Verified {
  copies: number;
  bytes: number;
  faults: string[];
}

/** What reading every copy has come to. */
function Verdict({ verified }: { verified: Verified }) {
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

interface Restoring {
  kept?: Kept;
}
interface Restored {
  tasks: { task: string; status: string; done: { items: number; bytes: number | null }; skipped: { reason: string; items: number }[]; error: { message: string } | null }[];
}

/** Some rows by their keys, or all that a run archived of a table. */
function Restore({ of, tables, onClose, onDone }: { of: Restoring; tables: string[]; onClose: () => void; onDone: () => void }) {
  const [table, setTable] = useState(of.kept?.table ?? tables[0] ?? "");
  const [keys, setKeys] = useState("");
  const wanted = keys.split(/[\s,]+/).filter((key) => key !== "");
  const restore = useOperation<Restored>(() => data(api.POST("/api/v1/archive/restore", { body: { table, ...(of.kept ? { run: of.kept.run } : {}), ...(wanted.length > 0 ? { keys: wanted } : {}) } })), ["runs", "holds", "overview"]);
  const isAll = wanted.length === 0;
  return (
    <Dialog
      title="Bring back from the archive"
      onClose={() => {
        if (restore.result) onDone();
        onClose();
      }}
    >
      {restore.result ? (
        <div role="status" className="space-y-2">
          {restore.result.tasks.map((task) => (
            <p key={task.task}>
              <strong className="tabular-nums">{plural(task.done.items, "item")}</strong> restored. {task.skipped.map((skip) => `${count(skip.items)} not: ${skip.reason}.`).join(" ")} {task.error?.message}
            </p>
          ))}
          {restore.result.tasks.some((task) => task.done.items > 0) && (
            <p className="text-muted">What was restored is held for 30 days, so that tonight's run does not take it again. The archive keeps its copy.</p>
          )}
          <div className="flex justify-end">
            <Button look="primary" onClick={() => { onDone(); onClose(); }}>
              Done
            </Button>
          </div>
        </div>
      ) : (
        <form
          className="space-y-4"
          onSubmit={(event) => {
            event.preventDefault();
            restore.start();
          }}
        >
          {of.kept ? (
            <p>
              From <code className="font-mono text-[0.8125rem]">{of.kept.run}</code>, table <strong>{of.kept.table}</strong>: {plural(of.kept.items, "item")}, {bytes(of.kept.bytes)}.
            </p>
          ) : (
            <Field label="Table">
              <select className={inputLook} value={table} onChange={(event) => setTable(event.target.value)}>
                {tables.map((each) => (
                  <option key={each}>{each}</option>
                ))}
              </select>
            </Field>
          )}
          <Field label="Keys" hint="Primary keys, with spaces or commas between them. Without any, all of it.">
            <input className={inputLook} autoFocus required={!of.kept} value={keys} onChange={(event) => setKeys(event.target.value)} />
          </Field>
          <p className="text-sm text-muted">Files come first, then their rows, value for value. A row that is there already and equal counts as restored; what clashes is left out, with the reason.</p>
          {restore.error && <ProblemPanel error={restore.error} />}
          <div className="flex justify-end gap-2">
            <Button onClick={onClose}>Not now</Button>
            <Button type="submit" look="primary" busy={restore.isBusy}>
              {isAll && of.kept ? `Restore ${plural(of.kept.items, "item")}` : `Restore ${plural(wanted.length, "row")}`}
            </Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
