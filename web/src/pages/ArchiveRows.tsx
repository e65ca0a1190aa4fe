import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api, base, data } from "../api/client";
import type { ArchivedRow, RowPage } from "../api/documents";
import { useOperation } from "../api/operations";
import { bytes, count, plural } from "../format";
import { Button, inputLook } from "../parts/Button";
import { Dialog } from "../parts/Dialog";
import { Facts, Heading, Table } from "../parts/Page";
import { Empty, Loading, ProblemPanel } from "../parts/Problem";
import { Badge } from "../parts/Status";
import { At } from "../parts/Time";
import { archiveRows as route } from "../routes";
import { Allowed, useMay } from "../session";
import { Restore } from "./archive/Restore";
import { AddHold } from "./holds/AddHold";
import { fileAddress, gistOf, isPicture, valueOf } from "./archive/rows";

type Filter = ReturnType<typeof route.useSearch>;

/** Rows in cold storage, one by one, with their pictures. */
export function Page() {
  const filter = route.useSearch();
  const navigate = useNavigate();
  const mayLook = useMay("operator");
  const [typed, setTyped] = useState(filter.q ?? "");
  useEffect(() => setTyped(filter.q ?? ""), [filter.q]);
  const change = (next: { [K in keyof Filter]?: string | undefined }) => {
    const merged = Object.fromEntries(Object.entries({ ...filter, ...next }).filter(([, value]) => value));
    void navigate({ to: "/archive/rows", search: merged, replace: true });
  };
  return (
    <>
      <Heading
        title={filter.table ? `Archived: ${filter.table}` : "Archived rows"}
        sub={
          <>
            What left the database and lies in{" "}
            <Link to="/archive" className="link">
              cold storage
            </Link>
            , the newest first.
          </>
        }
      />
      {mayLook ? (
        <>
          <form
            role="search"
            className="mb-4 flex flex-wrap items-center gap-2"
            onSubmit={(event) => {
              event.preventDefault();
              change({ q: typed.trim() });
            }}
          >
            <input type="search" aria-label="Search archived rows" placeholder="A key, a value, a file name" className={`${inputLook} w-72!`} value={typed} onChange={(event) => setTyped(event.target.value)} />
            <Button type="submit">Search</Button>
            {(["table", "run"] as const).map(
              (name) =>
                filter[name] && (
                  <button key={name} type="button" className="rounded-full border border-line bg-surface px-3 py-1 text-sm hover:bg-raised" onClick={() => change({ [name]: undefined })} title={`Not only this ${name}`}>
                    {name} <span className="font-mono text-[0.8125rem]">{filter[name]}</span> <span aria-hidden="true">✕</span>
                    <span className="sr-only">: leave out</span>
                  </button>
                ),
            )}
          </form>
          <Rows key={JSON.stringify(filter)} filter={filter} />
        </>
      ) : (
        <Empty title="Archived rows are for operators">They hold what the application's users have written. An administrator can give you that role.</Empty>
      )}
    </>
  );
}

/** A page after the other, as far as one wants to go. */
function Rows({ filter }: { filter: Filter }) {
  const [pages, setPages] = useState<RowPage[]>([]);
  const [shown, setShown] = useState<ArchivedRow>();
  const after = pages.at(-1)?.next;
  const next = useOperation<RowPage>(() =>
    data(
      api.POST("/api/v1/archive/show", {
        body: { limit: 60, ...(filter.run ? { run: filter.run } : {}), ...(filter.table ? { table: filter.table } : {}), ...(filter.q ? { match: filter.q } : {}), ...(after ? { after } : {}) },
      }),
    ),
  );
  const { start, result } = next;
  useEffect(() => start(), []); // once: another filter is another list
  useEffect(() => {
    if (result) setPages((known) => (known.includes(result) ? known : [...known, result]));
  }, [result]);
  const rows = pages.flatMap((page) => page.rows);
  const lookedAt = pages.reduce((all, page) => all + page.looked_at, 0);
  if (pages.length === 0) return next.error ? <ProblemPanel error={next.error} again={start} /> : <Loading rows={6} />;
  const gallery = rows.filter(isPicture);
  const plain = rows.filter((row) => !isPicture(row));
  return (
    <>
      {rows.length === 0 && !after && (
        <Empty title={filter.q ? "No archived row is like that" : "No row is archived here"}>
          {lookedAt > 0 ? `${plural(lookedAt, "row")} were looked at.` : "What a job archives stands here once it has run."}
        </Empty>
      )}
      {gallery.length > 0 && (
        <ul aria-label="Pictures" className="grid grid-cols-[repeat(auto-fill,minmax(10rem,1fr))] gap-3">
          {gallery.map((row) => (
            <li key={row.run + row.table + row.key}>
              <button type="button" data-row className="card group block w-full overflow-hidden text-left hover:border-accent" onClick={() => setShown(row)}>
                <Picture row={row} className="aspect-square w-full object-cover" />
                <span className="block px-3 py-2">
                  <span className="block truncate text-sm font-medium">
                    {row.table} {row.key}
                  </span>
                  <span className="block truncate text-[0.8125rem] text-muted">{gistOf(row, 2).map(([, value]) => value).join(" · ")}</span>
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
      {plain.length > 0 && (
        <div className={gallery.length > 0 ? "mt-6" : ""}>
          <Table label="Archived rows" head={["Table", "Key", "What it holds", "File", "Archived"]} numeric={[]}>
            {plain.map((row) => (
              <tr key={row.run + row.table + row.key}>
                <td className="font-mono text-sm">{row.table}</td>
                <td>
                  <button type="button" data-row className="link font-mono text-sm" onClick={() => setShown(row)}>
                    {row.key}
                  </button>
                </td>
                <td className="max-w-xl text-sm">
                  {gistOf(row).map(([name, value]) => (
                    <span key={name} className="mr-3 break-words">
                      <span className="text-muted">{name}</span> {value}
                    </span>
                  ))}
                </td>
                <td className="text-sm whitespace-nowrap">{row.file ? bytes(row.file.bytes) : row.file_missing ? <Badge tone="warn">was missing</Badge> : <span className="text-muted">–</span>}</td>
                <td className="whitespace-nowrap">
                  <At at={row.archived} seconds={false} />
                </td>
              </tr>
            ))}
          </Table>
        </div>
      )}
      {next.error && (
        <div className="mt-4">
          <ProblemPanel error={next.error} again={start} />
        </div>
      )}
      <p role="status" className="mt-4 flex flex-wrap items-center justify-center gap-3 text-sm text-muted">
        {rows.length > 0 && `${plural(rows.length, "row")} shown`}
        {filter.q && rows.length > 0 && `, of ${count(lookedAt)} looked at`}
        {after && (
          <Button busy={next.isBusy} onClick={start}>
            {rows.length === 0 ? `None among ${count(lookedAt)}: look further` : "More"}
          </Button>
        )}
      </p>
      {shown && <One row={shown} onClose={() => setShown(undefined)} />}
    </>
  );
}

/** Its bytes are fetched when it comes near the screen. What is no picture after all says so. */
function Picture({ row, className }: { row: ArchivedRow; className: string }) {
  const [failed, setFailed] = useState(false);
  const name = row.file?.source.split("/").at(-1) ?? row.key;
  if (failed) return <span className={`${className} flex items-center justify-center bg-raised p-3 text-center text-[0.8125rem] break-all text-muted`}>no picture could be shown of {name}</span>;
  return <img loading="lazy" decoding="async" alt={`${row.table} ${row.key}: ${name}`} src={fileAddress(row, base)} onError={() => setFailed(true)} className={`${className} bg-raised`} />;
}

/** All that is known of a row, and the way back. */
function One({ row, onClose }: { row: ArchivedRow; onClose: () => void }) {
  const [restoring, setRestoring] = useState(false);
  const [holding, setHolding] = useState(false);
  if (holding) return <AddHold of={{ table: row.table, key: row.key }} onClose={onClose} />;
  if (restoring) return <Restore of={{ row: { table: row.table, key: row.key } }} tables={[row.table]} onClose={onClose} onDone={onClose} />;
  return (
    <Dialog title={`${row.table} ${row.key}`} wide onClose={onClose}>
      <div className={isPicture(row) ? "grid gap-5 md:grid-cols-[minmax(0,18rem)_minmax(0,1fr)]" : ""}>
        {isPicture(row) && (
          <a href={fileAddress(row, base)} target="_blank" rel="noreferrer" title="In a window of its own">
            <Picture row={row} className="max-h-80 w-full rounded-lg object-contain" />
          </a>
        )}
        <dl className="grid grid-cols-[minmax(6rem,auto)_minmax(0,1fr)] content-start gap-x-4 gap-y-1.5 text-sm">
          {Object.entries(row.row).map(([name, value]) => (
            <div key={name} className="contents">
              <dt className="text-muted">{name}</dt>
              <dd className="font-mono text-[0.8125rem] break-words whitespace-pre-wrap">{value === null ? <span className="text-muted italic">null</span> : valueOf(value)}</dd>
            </div>
          ))}
        </dl>
      </div>
      <div className="mt-5 border-t border-line pt-4">
        <Facts
          of={[
            ["Archived", <At key="a" at={row.archived} seconds={false} />],
            [
              "By",
              <Link key="b" to="/runs/$run" params={{ run: row.run }} className="link font-mono text-[0.8125rem]">
                {row.run}
              </Link>,
            ],
            ["File", row.file ? `${row.file.source}, ${bytes(row.file.bytes)}` : row.file_missing ? "was missing already when the row was archived" : "none"],
            ...(row.file ? ([["SHA-256", <span key="s" className="font-mono text-[0.8125rem] break-all">{row.file.sha256}</span>]] as [string, React.ReactNode][]) : []),
          ]}
        />
        {row.referring.length > 0 && (
          <p className="mt-3 text-sm text-muted">
            {plural(row.referring.length, "row")} of other tables referred to it ({[...new Set(row.referring.map((each) => each.table))].join(", ")}); a restore brings that back, too.
          </p>
        )}
      </div>
      <div className="mt-5 flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>Close</Button>
        <Button title="So that neither an end of the archive nor, once it is back, a run removes it" onClick={() => setHolding(true)}>
          Hold…
        </Button>
        <Allowed role="administrator" to="Restore">
          <Button look="primary" onClick={() => setRestoring(true)}>
            Restore…
          </Button>
        </Allowed>
      </div>
    </Dialog>
  );
}
