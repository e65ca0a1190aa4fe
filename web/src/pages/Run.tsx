import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { api, data } from "../api/client";
import type { Progress, RunDetail, TaskResult } from "../api/documents";
import { about, run as runQuery } from "../api/queries";
import { amount, bytes, count, span } from "../format";
import { Button } from "../parts/Button";
import { Dialog } from "../parts/Dialog";
import { Facts, Heading, Section } from "../parts/Page";
import { Skipped } from "../parts/PlanView";
import { FailurePanel, Loaded, ProblemPanel, sentence } from "../parts/Problem";
import { Status } from "../parts/Status";
import { Ago, At, Took, useNow } from "../parts/Time";
import { run as route } from "../routes";
import { Allowed } from "../session";
import { Items } from "./run/Items";
import { Log } from "./run/Log";
import { remaining } from "./run/remaining";
import { scopeOf } from "./run/RunTable";

export function Page() {
  const { run: id } = route.useParams();
  const found = useQuery(runQuery(id));
  return (
    <Loaded query={found}>
      {(run) => (
        <>
          <Heading
            title={
              <span className="flex flex-wrap items-center gap-3">
                {scopeOf(run)} <Status is={run.status} />
              </span>
            }
            sub={<code className="font-mono text-sm">{run.run}</code>}
            actions={<Actions run={run} />}
          />
          {run.status === "waiting" && (
            <p className="card mb-4 border-warn/50 px-4 py-3">
              It waits for a person:{" "}
              <Link to="/approvals/$run" params={{ run: run.run }} className="link font-medium">
                look at what it asks
              </Link>
            </p>
          )}
          {run.error !== null && (
            <div className="mb-4">
              <FailurePanel failure={run.error} />
            </div>
          )}
          {run.status === "running" && run.progress && <Live progress={run.progress} />}
          <div className="card p-4">
            <Facts
              of={[
                ["Started", <span key="s"><At at={run.started} /> <span className="text-muted">(<Ago at={run.started} />)</span></span>],
                [run.ended ? "Took" : "For", run.status === "queued" ? "not yet" : <Took key="t" from={run.started} to={run.ended} />],
                ["By", run.dagster_url
                  ? <a key="b" href={run.dagster_url} className="link" rel="noreferrer">{run.actor}</a>
                  : `${run.actor} (${run.trigger})`],
                ["On", `${run.host}, steward ${run.version || "–"}`],
                ["Environment", run.environment || "–"],
                ["Plan", run.plan ? <code key="p" className="font-mono text-[0.8125rem]" title={run.plan}>{run.plan.slice(0, 16)}</code> : "–"],
                ["Archived", <Archived key="a" run={run} />],
                ["Job", <Link key="j" to="/jobs/$job" params={{ job: run.job }} className="link">{run.job}</Link>],
              ]}
            />
          </div>
          {run.tasks.length > 0 && (
            <Section title="Tasks">
              <div className="space-y-3">
                {run.tasks.map((task) => (
                  <Task key={task.task} task={task} />
                ))}
              </div>
            </Section>
          )}
          <Items run={run} />
          <Section title="Log">
            <Log run={run} />
          </Section>
        </>
      )}
    </Loaded>
  );
}

/** What it copied into cold storage is there row by row. */
function Archived({ run }: { run: RunDetail }) {
  const hasArchive = useQuery(about).data?.targets.some((target) => target.what === "archive");
  const hasDone = run.tasks.some((task) => task.done.items > 0);
  if (!hasArchive || !hasDone) return <>–</>;
  return (
    <Link to="/archive/rows" search={{ run: run.run }} className="link">
      rows of this run
    </Link>
  );
}

/** How far it is, how fast, and how long it still takes. */
function Live({ progress }: { progress: Progress }) {
  const now = useNow();
  const first = useRef({ task: "", at: now, items: 0 });
  if (first.current.task !== progress.task) first.current = { task: progress.task, at: now, items: progress.done.items };
  const share = progress.planned.items === 0 ? 0 : Math.min(1, progress.done.items / progress.planned.items);
  const estimate = remaining({ since: first.current.at, from: first.current.items, now, done: progress.done.items, planned: progress.planned.items });
  return (
    <div className="card mb-4 p-4">
      <div className="mb-2 flex flex-wrap items-baseline justify-between gap-2">
        <span className="font-mono text-sm font-semibold">{progress.task}</span>
        <span className="text-sm text-muted tabular-nums">
          {count(progress.done.items)} of {count(progress.planned.items)}
          {progress.done.bytes !== null && `, ${bytes(progress.done.bytes)}`}
          {estimate && ` · ${count(Math.round(estimate.rate))} a second · ${span(estimate.left)} left`}
        </span>
      </div>
      <div role="progressbar" aria-label={progress.task} aria-valuenow={Math.round(share * 100)} aria-valuemin={0} aria-valuemax={100} className="h-2 overflow-hidden rounded-full bg-raised">
        <div className="h-full rounded-full bg-accent transition-[width] duration-500" style={{ width: `${share * 100}%` }} />
      </div>
    </div>
  );
}

function Task({ task }: { task: TaskResult }) {
  return (
    <article className="card p-4">
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1">
        <h3 className="flex items-center gap-3 font-mono text-sm font-semibold">
          {task.task} <Status is={task.status} />
        </h3>
        <p className="tabular-nums">
          <strong>{amount(task.done)}</strong>
          {task.planned.items !== task.done.items && <span className="text-muted"> of {count(task.planned.items)} planned</span>}
        </p>
      </div>
      {task.needs.length > 0 && <p className="mt-1 text-sm text-muted">Set {task.needs.join(", ")}.</p>}
      {task.error && (
        <div className="mt-2">
          <FailurePanel failure={task.error} />
        </div>
      )}
      {task.notes.map((note) => (
        <p key={note} className="mt-1 text-sm text-muted">
          {sentence(note)}
        </p>
      ))}
      <Skipped skips={task.skipped} />
    </article>
  );
}

function Actions({ run }: { run: RunDetail }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [asked, setAsked] = useState(false);
  const settle = () => {
    for (const key of ["run", "runs", "overview", "approvals"]) void queries.invalidateQueries({ queryKey: [key] });
  };
  const path = { params: { path: { run: run.run } } };
  const cancel = useMutation({
    mutationFn: () => data(api.POST("/api/v1/runs/{run}/cancel", path)),
    onSuccess: () => setAsked(false),
    onSettled: settle,
  });
  const retry = useMutation({
    mutationFn: () => data(api.POST("/api/v1/runs/{run}/retry", path)),
    onSuccess: (started) => {
      settle();
      void navigate({ to: "/runs/$run", params: { run: started.run } });
    },
  });
  const isOpen = run.status === "running" || run.status === "queued" || run.status === "waiting";
  if (isOpen)
    return (
      <Allowed role="operator" to="Cancel">
        <Button look="danger" onClick={() => setAsked(true)}>
          Cancel…
        </Button>
        {asked && (
          <Dialog title="Cancel this run?" onClose={() => setAsked(false)}>
            <p>{run.status === "running" ? "It stops after the item or batch at hand. What is done is done and recorded; the next run goes on from there." : "It has not begun: nothing is lost."}</p>
            {cancel.error && <ProblemPanel error={cancel.error} />}
            <div className="mt-4 flex justify-end gap-2">
              <Button onClick={() => setAsked(false)}>Let it run</Button>
              <Button look="danger-solid" busy={cancel.isPending} onClick={() => cancel.mutate()}>
                Cancel the run
              </Button>
            </div>
          </Dialog>
        )}
      </Allowed>
    );
  if (run.status === "succeeded") return null;
  return (
    <Allowed role="operator" to="Retry">
      {retry.error && <ProblemPanel error={retry.error} />}
      <Button look="primary" busy={retry.isPending} onClick={() => retry.mutate()}>
        Retry
      </Button>
    </Allowed>
  );
}
