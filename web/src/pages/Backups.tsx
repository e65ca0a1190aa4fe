import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api, data } from "../api/client";
import type { Backup, BackupList, Overview } from "../api/documents";
import { useOperation } from "../api/operations";
import { overview, recentRuns, ticks } from "../api/queries";
import { bytes, count, plural } from "../format";
import { Button } from "../parts/Button";
import { Dialog } from "../parts/Dialog";
import { Facts, Heading, Section, Table } from "../parts/Page";
import { Empty, Hint, Loading, ProblemPanel } from "../parts/Problem";
import { Badge, Status } from "../parts/Status";
import { Ago, At, useNow } from "../parts/Time";
import { nights, ofPgBackRest, restoreCommand, type Night } from "./backups/nights";

const shownAtOnce = 60;

/** The backups that lie in the stores: which nights have one, how large, how well proved, and how each comes back. */
export function Page() {
  const list = useOperation<BackupList>(() => data(api.POST("/api/v1/backups/list")));
  const known = useQuery(overview).data?.backups ?? [];
  const { start } = list;
  useEffect(() => start(), []); // once, when the page opens: it reads the stores themselves
  const isUnconfigured = list.error?.problem.code === "not-configured";
  // A task that copies is watched as well, and makes no backups of its own.
  const tasks = [...new Set([...known.map((each) => each.task).filter((task) => !task.endsWith(".copy")), ...(list.result?.backups ?? []).map((each) => each.task)])];
  return (
    <>
      <Heading
        title="Backups"
        sub={list.result && list.result.stores.join(", ")}
        actions={
          !isUnconfigured && (
            <Button busy={list.isBusy} onClick={list.start}>
              Look again
            </Button>
          )
        }
      />
      {isUnconfigured ? <Unconfigured hint={list.error?.problem.hint} /> : list.error && <ProblemPanel error={list.error} again={list.start} />}
      {list.isBusy && !list.result && <Loading />}
      {list.result?.backups.length === 0 && (
        <Empty title="There is no backup yet">
          The next night makes one. Or run{" "}
          <Link to="/jobs/$job" params={{ job: "backup" }} className="link">
            backup
          </Link>{" "}
          now.
        </Empty>
      )}
      {list.result &&
        list.result.backups.length > 0 &&
        tasks.map((task) => <Policy key={task} task={task} isOneOfSeveral={tasks.length > 1} freshness={known.find((each) => each.task === task)} backups={list.result?.backups.filter((each) => each.task === task) ?? []} copies={list.result?.copies.filter((each) => each.task === task) ?? []} />)}
    </>
  );
}

function Unconfigured({ hint }: { hint: string | undefined }) {
  return (
    <Empty title="No backup is configured">
      Set <code className="font-mono">DATABASE_URL</code> and <code className="font-mono">BACKUP_BUCKET</code> (<code className="font-mono">s3://bucket/prefix</code> or <code className="font-mono">file:///folder</code>), and the database is dumped there every night. <code className="font-mono">BACKUP_PROOF</code>, such as{" "}
      <code className="font-mono">7 days</code>, has the newest restored and compared; <code className="font-mono">BACKUP_KEEP</code>, such as <code className="font-mono">daily 14, monthly 12</code>, says which stay.
      {hint && <Hint text={hint} />}
    </Empty>
  );
}

type Freshness = Overview["backups"][number];

function Policy({ task, isOneOfSeveral, freshness, backups: oldestFirst, copies }: { task: string; isOneOfSeveral: boolean; freshness: Freshness | undefined; backups: Backup[]; copies: Backup[] }) {
  const now = Math.floor(useNow() / 60_000) * 60_000;
  const runs = useQuery(recentRuns({ job: "backup", limit: 100 })).data ?? [];
  const due = useQuery(ticks({ job: "backup", limit: 200 })).data ?? [];
  const [restoring, setRestoring] = useState<Backup>();
  const [most, setMost] = useState(shownAtOnce);
  const backups = [...oldestFirst].reverse();
  const copiesAlone = copies.filter((copy) => !backups.some((each) => each.id === copy.id)).reverse();
  const newest = backups[0];
  const proved = backups.find((each) => each.standing === "restored");
  const total = backups.reduce((all, each) => all + each.bytes, 0);
  return (
    <Section title={task} aside={`${plural(backups.length, "backup")}, ${bytes(total)}`}>
      {freshness?.stale && (
        <p role="alert" className="mb-3 rounded-lg border border-bad/40 bg-bad-soft px-4 py-3 font-medium text-bad">
          {freshness.newest ? "The newest backup is too old" : "The first backup is overdue"}: look at the{" "}
          <Link to="/runs" search={{ job: "backup" }} className="underline underline-offset-3">
            runs of backup
          </Link>
          .
        </p>
      )}
      <div className="card space-y-4 p-4">
        <Facts
          of={[
            ["Newest", newest ? <Ago at={newest.begun} /> : "none"],
            ["Last restored and compared", proved ? <Ago at={proved.proofs.findLast((each) => each.depth === "restore")?.at ?? proved.begun} /> : "none"],
            ["Of", newest ? <span className="break-all">{newest.database}</span> : "–"],
            ["By", newest ? newest.client : "–"],
          ]}
        />
        {newest && <Nights of={nights({ backups: oldestFirst, runs, ticks: due, now })} />}
        {backups.length > 1 && <Sizes of={oldestFirst} />}
      </div>
      {backups.length > 0 && (
        <div className="mt-3">
          <Table label={`Backups of ${task}`} head={["Made", "Proved", "Tables", "Rows", "Bytes", ""]} numeric={[2, 3, 4]}>
            {backups.slice(0, most).map((backup) => (
              <tr key={backup.id}>
                <td>
                  {ofPgBackRest(backup) ? (
                    <At at={backup.begun} seconds={false} />
                  ) : (
                    <Link to="/runs/$run" params={{ run: backup.run }} className="link" data-row>
                      <At at={backup.begun} seconds={false} />
                    </Link>
                  )}
                  <span className="block font-mono text-[0.8125rem] whitespace-nowrap text-muted">{backup.id}</span>
                </td>
                <td>
                  <Standing backup={backup} />
                  {copies.length > 0 && <Copy of={copies.find((each) => each.id === backup.id)} />}
                </td>
                <td className="num">{ofPgBackRest(backup) ? backup.objects[0]?.key : count(backup.tables)}</td>
                <td className="num">{ofPgBackRest(backup) ? "–" : count(backup.rows)}</td>
                <td className="num">{bytes(backup.bytes)}</td>
                <td className="text-right">
                  <Button look="quiet" aria-label={`Restore ${backup.id}…`} onClick={() => setRestoring(backup)}>
                    Restore…
                  </Button>
                </td>
              </tr>
            ))}
          </Table>
          {copiesAlone.length > 0 && (
            <details className="mt-3">
              <summary className="font-medium">{plural(copiesAlone.length, "backup")} in the second store alone</summary>
              <ul className="mt-2 space-y-1">
                {copiesAlone.map((copy) => (
                  <li key={copy.id} className="flex flex-wrap items-baseline gap-x-3">
                    <span className="font-mono text-[0.8125rem]">{copy.id}</span>
                    <Standing backup={copy} />
                    <span className="text-muted tabular-nums">{bytes(copy.bytes)}</span>
                    <Button look="quiet" aria-label={`Restore the copy of ${copy.id}…`} onClick={() => setRestoring(copy)}>
                      Restore…
                    </Button>
                  </li>
                ))}
              </ul>
            </details>
          )}
          {backups.length > most && (
            <Button className="mt-2" onClick={() => setMost(backups.length)}>
              Show all {count(backups.length)}
            </Button>
          )}
        </div>
      )}
      {restoring && <Restore backup={restoring} isOneOfSeveral={isOneOfSeveral} isCopy={copies.includes(restoring)} onClose={() => setRestoring(undefined)} />}
    </Section>
  );
}

/** How well it is proved, when, and what its last proof has found wrong. */
function Standing({ backup }: { backup: Backup }) {
  const last = backup.proofs.at(-1);
  return (
    <>
      <Status is={backup.standing} />
      {last && (
        <span className="ml-2 text-sm text-muted">
          <Ago at={last.at} />
        </span>
      )}
      {last && last.faults.length > 0 && (
        <ul className="mt-1 list-disc space-y-0.5 pl-5 text-sm break-words text-bad">
          {last.faults.map((fault) => (
            <li key={fault}>{fault}</li>
          ))}
        </ul>
      )}
    </>
  );
}

/** Its copy in the second store, once there is one. */
function Copy({ of }: { of: Backup | undefined }) {
  return <span className="mt-1 block text-[0.8125rem] text-muted">{of ? <>its copy in {of.store}: {of.standing}</> : "not copied yet"}</span>;
}

const forms: Record<Night["is"], { look: string; sign: string; words: string }> = {
  made: { look: "bg-good-soft text-good", sign: "✓", words: "made" },
  bad: { look: "bg-bad-soft text-bad", sign: "✕", words: "bad: its proof failed" },
  removed: { look: "bg-raised text-muted", sign: "·", words: "made, and removed since by a rule" },
  missing: { look: "bg-bad-soft text-bad", sign: "!", words: "missing" },
  open: { look: "border border-line text-muted", sign: "…", words: "none yet today" },
  none: { look: "text-muted", sign: "–", words: "none was due" },
};

function Nights({ of }: { of: Night[] }) {
  if (of.length === 0) return null;
  return (
    <div>
      <h3 className="mb-1 text-[0.8125rem] text-muted">The last {plural(of.length, "night")} (UTC)</h3>
      <ol className="flex flex-wrap gap-1">
        {of.map((night) => {
          const form = forms[night.is];
          const words = `${night.day}: ${form.words}${night.reason ? ` (${night.reason})` : ""}${night.backup ? `, ${bytes(night.backup.bytes)}` : ""}`;
          return (
            <li key={night.day} title={words} className={`flex h-10 w-8 flex-col items-center justify-center rounded text-xs tabular-nums ${form.look}`}>
              <span className="sr-only">{words}</span>
              <span aria-hidden="true">{Number(night.day.slice(8))}</span>
              <span aria-hidden="true" className="font-bold">
                {form.sign}
              </span>
            </li>
          );
        })}
      </ol>
      <p aria-hidden="true" className="mt-1 flex flex-wrap gap-x-4 text-xs text-muted">
        <span>✓ made</span>
        <span>! missing</span>
        <span>✕ bad</span>
        <span>· made, and removed since</span>
      </p>
    </div>
  );
}

const barsShown = 60;
/** How large they were, oldest first; the list has the figures. */
function Sizes({ of }: { of: Backup[] }) {
  const shown = of.slice(-barsShown);
  const largest = Math.max(1, ...shown.map((each) => each.bytes));
  const width = 100 / Math.max(shown.length, 20);
  const [first, last] = [shown[0], shown.at(-1)];
  if (!first || !last) return null;
  return (
    <div>
      <h3 className="mb-1 text-[0.8125rem] text-muted">Size over time</h3>
      <svg viewBox="0 0 100 24" preserveAspectRatio="none" className="h-12 w-full max-w-2xl" role="img" aria-label={`From ${bytes(first.bytes)} to ${bytes(last.bytes)} over ${plural(shown.length, "backup")}; ${bytes(largest)} at the most`}>
        {shown.map((each, index) => {
          const high = 1 + (23 * each.bytes) / largest;
          return (
            <rect key={each.id} x={index * width + width * 0.12} y={24 - high} width={width * 0.76} height={high} rx={0.4} className={each.standing === "bad" ? "fill-bad" : "fill-good"}>
              <title>{`${each.begun.slice(0, 16).replace("T", " ")} UTC: ${bytes(each.bytes)}`}</title>
            </rect>
          );
        })}
      </svg>
      <p className="text-xs text-muted tabular-nums">
        {bytes(first.bytes)} → {bytes(last.bytes)}
      </p>
    </div>
  );
}

/** The commands that bring it back: nothing is restored from here, because what a restore writes into is somebody's database. */
function Restore({ backup, isOneOfSeveral, isCopy, onClose }: { backup: Backup; isOneOfSeveral: boolean; isCopy: boolean; onClose: () => void }) {
  return (
    <Dialog title={`Restore ${backup.id}`} wide onClose={onClose}>
      <div className="space-y-4">
        {backup.standing === "bad" && (
          <p>
            <Badge tone="bad">✕ bad</Badge> Its last proof has found something else than was backed up. Look for another first.
          </p>
        )}
        <div>
          <h3 className="mb-1 text-sm font-semibold">With steward</h3>
          <Command text={restoreCommand(backup, isOneOfSeveral, isCopy)} what="the restore command" />
          {ofPgBackRest(backup) ? (
            <p className="mt-1 text-sm text-muted">
              It prints pgBackRest's command, and does nothing itself. <code className="font-mono">--at TIME</code> is for a moment since this backup.
            </p>
          ) : (
            <p className="mt-1 text-sm text-muted">
              URL is that of an empty database. It shows first what it would do; <code className="font-mono">--table NAME</code> brings back one table.
            </p>
          )}
        </div>
        <div>
          <h3 className="mb-1 text-sm font-semibold">By hand, with stock programs</h3>
          {backup.by_hand.map((command) => (
            <Command key={command} text={command} what="the command" />
          ))}
          {backup.by_hand.some((command) => command.includes("$TARGET")) && (
            <p className="mt-1 text-sm text-muted">
              <code className="font-mono">TARGET</code> is the URL of an empty database.
            </p>
          )}
        </div>
        <div className="flex justify-end">
          <Button onClick={onClose}>Close</Button>
        </div>
      </div>
    </Dialog>
  );
}

function Command({ text, what }: { text: string; what: string }) {
  const [isCopied, setCopied] = useState(false);
  return (
    <div className="mb-2 flex items-start justify-between gap-3 rounded-lg bg-raised px-3 py-2">
      <code className="min-w-0 font-mono text-[0.8125rem] break-all">{text}</code>
      <Button look="quiet" aria-label={isCopied ? "Copied" : `Copy ${what}`} onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}>
        {isCopied ? "Copied" : "Copy"}
      </Button>
    </div>
  );
}
