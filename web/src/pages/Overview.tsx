import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Freeze, Job, Overview as Document, Pause, Run, Schedule } from "../api/documents";
import { about, deliveries, freezes, jobs, overview, pauses, recentRuns, run, schedules, ticks } from "../api/queries";
import { amount, bytes, plural, sumOf } from "../format";
import { AttentionList } from "../parts/AttentionList";
import { Heading, Section, Table } from "../parts/Page";
import { Empty, Loaded } from "../parts/Problem";
import { RunBars } from "../parts/RunBars";
import { Badge, Status } from "../parts/Status";
import { Ago, At } from "../parts/Time";
import { Timeline } from "../parts/Timeline";
import { Recovery } from "./overview/Recovery";
import { Tonight } from "./overview/Tonight";

export function Page() {
  const found = useQuery(overview);
  return (
    <>
      <Where />
      <Loaded query={found} rows={8}>
        {(document) => <Body document={document} />}
      </Loaded>
    </>
  );
}

/** Where one is. */
function Where() {
  const found = useQuery(about).data;
  return (
    <Heading
      title={found?.environment ? found.environment : "Overview"}
      sub={
        found && (
          <span className="flex flex-wrap gap-x-4 gap-y-1 text-sm">
            {found.targets.map((target) => (
              <span key={target.what + target.where}>
                {target.what} <code className="font-mono text-[0.8125rem] break-all text-ink">{target.where}</code>
              </span>
            ))}
          </span>
        )
      }
    />
  );
}

function Body({ document }: { document: Document }) {
  const known = useQuery(jobs).data ?? [];
  const planned = useQuery(schedules(3)).data;
  const due = planned ?? [];
  const paused = useQuery(pauses).data ?? [];
  const frozen = useQuery(freezes).data ?? [];
  const notFired = useQuery(ticks({ fired: false, limit: 200 })).data ?? [];
  const configured = known.filter((job) => job.configured && !job.off_by);
  const rest = known.filter((job) => !job.configured);
  const past = useQueries({ queries: configured.map((job) => recentRuns({ job: job.job, limit: 30 })) }).map((query) => query.data ?? []);
  return (
    <>
      <Recovery backups={document.backups} />
      {document.attention.length > 0 ? (
        <Section title="Needs attention">
          <AttentionList lines={document.attention} />
        </Section>
      ) : (
        <p className="card flex items-center gap-3 border-good/40 px-4 py-3 font-medium">
          <span aria-hidden="true" className="text-good">
            ✓
          </span>
          Nothing needs attention.
        </p>
      )}
      {frozen.length > 0 && <Frozen freezes={frozen} />}
      <Section title="Jobs" aside={<Link to="/runs" className="link">All runs</Link>}>
        {configured.length === 0 ? (
          <Empty title="No job is configured yet">
            Set <code className="font-mono">DATABASE_URL</code>, <code className="font-mono">LOG_DIR</code> or <code className="font-mono">S3_BUCKET</code>, or write a configuration file: <code className="font-mono">steward config init</code>. The{" "}
            <Link to="/configuration" className="link">
              configuration
            </Link>{" "}
            says what is missing.
          </Empty>
        ) : (
          <Table label="Jobs" head={["Job", "State", "Last success", "Next", "Last 30 runs", "Last time"]}>
            {configured.map((job, index) => (
              <JobRow key={job.job} job={job} runs={past[index] ?? []} document={document} isKnown={planned !== undefined} schedule={due.find((each) => each.job === job.job)} pauses={paused} />
            ))}
          </Table>
        )}
      </Section>
      {configured.length > 0 && (
        <Section title="Yesterday to tomorrow">
          <Timeline
            lanes={configured.map((job, index) => ({
              job: job.job,
              runs: past[index] ?? [],
              ticks: notFired.filter((tick) => tick.job === job.job),
              firings: due.find((each) => each.job === job.job)?.firings ?? [],
            }))}
          />
        </Section>
      )}
      <Tonight />
      {document.forecasts.length > 0 && (
        <Section title="What is left, and where it is heading">
          <Table label="Forecasts" head={["Task", "Left", "Forecast"]} numeric={[1]}>
            {document.forecasts.map((each) => (
              <tr key={each.job + each.task}>
                <td className="font-mono text-sm whitespace-nowrap">{each.task}</td>
                <td className="num">{each.backlog.items === 0 ? <span className="text-muted">nothing</span> : amount(each.backlog)}</td>
                <td>
                  {each.trend === "losing_ground" && <Badge tone="bad">losing ground</Badge>} {each.reason}
                </td>
              </tr>
            ))}
          </Table>
        </Section>
      )}
      <Section title="steward itself">
        <Itself document={document} rest={rest} off={known.filter((job) => job.configured && job.off_by)} />
      </Section>
    </>
  );
}

function Frozen({ freezes: all }: { freezes: Freeze[] }) {
  return (
    <ul className="mt-3 space-y-2">
      {all.map((freeze) => (
        <li key={freeze.id} className="card border-warn/50 px-4 py-3">
          <Status is="frozen" /> Nothing is removed: {freeze.reason} <span className="text-muted">({freeze.who}{freeze.until ? <>, until <At at={freeze.until} seconds={false} /></> : ""})</span>
        </li>
      ))}
    </ul>
  );
}

function JobRow({ job, runs, document, isKnown, schedule, pauses: paused }: { job: Job; isKnown: boolean; runs: Run[]; document: Document; schedule: Schedule | undefined; pauses: Pause[] }) {
  const entry = document.jobs.find((each) => each.job === job.job);
  const pause = paused.find((each) => each.job === job.job || each.job === "*");
  const last = runs[0] ?? entry?.last ?? null;
  const next = schedule?.firings[0];
  return (
    <tr>
      <td>
        <Link to="/jobs/$job" params={{ job: job.job }} data-row className="font-semibold hover:underline">
          {job.job}
        </Link>
        <div className="text-sm text-muted">{plural(job.tasks.filter((task) => task.configured && !task.off_by).length, "task")}</div>
      </td>
      <td>
        <span className="flex flex-wrap items-center gap-1">
          <Status is={last?.status ?? "never"} />
          {pause && <Status is="paused" />}
        </span>
        {last && (
          <div className="mt-0.5 text-sm text-muted">
            <Link to="/runs/$run" params={{ run: last.run }} className="hover:underline">
              <Ago at={last.started} />
            </Link>
          </div>
        )}
      </td>
      <td>{entry?.last_success ? <Ago at={entry.last_success} /> : <span className="text-muted">never</span>}</td>
      <td>
        {pause ? (
          <span className="text-warn">paused: {pause.reason}</span>
        ) : next ? (
          <>
            <Ago at={next} />
            <div className="text-sm text-muted">
              <At at={next} seconds={false} />
            </div>
          </>
        ) : (
          isKnown && <span className="text-muted">by hand</span>
        )}
      </td>
      <td>{runs.length > 0 && <RunBars runs={runs} />}</td>
      <td className="text-sm">
        {last && <LastAmounts id={last.run} />}
      </td>
    </tr>
  );
}

/** What the last run did is in its own document. */
function LastAmounts({ id }: { id: string }) {
  const found = useQuery(run(id)).data;
  if (!found || found.tasks.length === 0) return <span className="text-muted">–</span>;
  const done = sumOf(found.tasks.map((task) => task.done));
  return (
    <Link to="/runs/$run" params={{ run: id }} className="hover:underline">
      {found.status === "running" ? "so far " : ""}
      {amount(done)}
    </Link>
  );
}

function Itself({ document, rest, off }: { document: Document; rest: Job[]; off: Job[] }) {
  const found = useQuery(about).data;
  const last = useQuery(deliveries({})).data?.[0];
  const { state } = document;
  const all = state.ledger + state.run_logs + state.plans + state.removal_lists + state.other;
  return (
    <div className="card grid gap-4 p-4 sm:grid-cols-3">
      <div>
        <p className="text-sm text-muted">Version and ledger</p>
        <p>steward {found?.version}</p>
        <p className="font-mono text-[0.8125rem] break-all">{document.ledger}</p>
      </div>
      <div>
        <p className="text-sm text-muted">State directory</p>
        <p>
          {bytes(all)} <span className="text-sm text-muted">(ledger {bytes(state.ledger)}, logs {bytes(state.run_logs)}, lists {bytes(state.removal_lists)})</span>
        </p>
        <p className="font-mono text-[0.8125rem] break-all">{state.folder}</p>
      </div>
      <div>
        <p className="text-sm text-muted">Not configured</p>
        <p>
          {rest.length === 0
            ? "every job is"
            : rest.map((job, index) => (
                <span key={job.job}>
                  {index > 0 && ", "}
                  <Link to="/jobs/$job" params={{ job: job.job }} className="link">
                    {job.job}
                  </Link>
                </span>
              ))}
        </p>
        {off.length > 0 && (
          <>
            <p className="mt-2 text-sm text-muted">Off</p>
            {off.map((job) => (
              <p key={job.job}>
                <Link to="/jobs/$job" params={{ job: job.job }} className="link">
                  {job.job}
                </Link>{" "}
                <span className="text-sm text-muted">by {job.off_by}</span>
              </p>
            ))}
          </>
        )}
        <p className="mt-2 text-sm text-muted">Last notification</p>
        <p>
          <Link to="/notifications" className="link">
            {last ? <Ago at={last.made} /> : "none yet"}
          </Link>{" "}
          {last && <Status is={last.state} />}
        </p>
        {document.holds > 0 && (
          <p>
            <Link to="/holds" className="link">
              {plural(document.holds, "hold")}
            </Link>{" "}
            in force
          </p>
        )}
      </div>
    </div>
  );
}
