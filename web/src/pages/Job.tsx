import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, data } from "../api/client";
import type { Job, Pause } from "../api/documents";
import { jobs, pauses, recentRuns, schedules } from "../api/queries";
import { Heading, Section, Table, Tabs } from "../parts/Page";
import { Button } from "../parts/Button";
import { Empty, Loaded, ProblemPanel } from "../parts/Problem";
import { ReasonDialog } from "../parts/ReasonDialog";
import { Status } from "../parts/Status";
import { Ago, At } from "../parts/Time";
import { job as route } from "../routes";
import { Allowed } from "../session";
import { History } from "./job/History";
import { PlanTab } from "./job/PlanTab";
import { Ticks } from "./job/Ticks";
import { titleOf } from "./job/titles";

export function Page() {
  const { job: name } = route.useParams();
  const { tab = "plan" } = route.useSearch();
  const navigate = useNavigate();
  const found = useQuery(jobs);
  const paused = useQuery(pauses).data?.filter((pause) => pause.job === name || pause.job === "*") ?? [];
  return (
    <Loaded query={found}>
      {(all) => {
        const job = all.find((each) => each.job === name);
        if (!job)
          return (
            <Empty title={`There is no job "${name}"`}>
              <Link to="/jobs" className="link">
                All jobs
              </Link>
            </Empty>
          );
        return (
          <>
            <Heading title={name} sub={titleOf(name)} actions={<Actions job={job} />} />
            {paused.map((pause) => (
              <Paused key={pause.id} pause={pause} />
            ))}
            {!job.configured && (
              <Empty title="This job is not configured">
                It never runs until its settings are there: <code className="font-mono">steward config show</code> names them, and so does the{" "}
                <Link to="/configuration" className="link">
                  configuration
                </Link>
                .
              </Empty>
            )}
            {job.configured && (
              <>
                <div className="grid grid-cols-[minmax(0,1fr)] gap-8 lg:grid-cols-[minmax(0,2fr)_minmax(16rem,1fr)] [&>section]:mt-0">
                  <Section title="Tasks">
                    <Tasks job={job} />
                  </Section>
                  <Section title="Next firings" aside={<code className="font-mono">{job.schedule}</code>}>
                    <Firings job={job} />
                  </Section>
                </div>
                <div className="mt-8">
                  <Tabs
                    value={tab}
                    tabs={[
                      ["plan", "Plan and run"],
                      ["history", "History"],
                      ["ticks", "Ticks"],
                    ]}
                    onChange={(next) => void navigate({ to: "/jobs/$job", params: { job: name }, search: next === "plan" ? {} : { tab: next }, replace: true })}
                  />
                  {tab === "plan" && <PlanTab job={job} />}
                  {tab === "history" && <History job={name} />}
                  {tab === "ticks" && <Ticks job={name} />}
                </div>
              </>
            )}
          </>
        );
      }}
    </Loaded>
  );
}

function Tasks({ job }: { job: Job }) {
  return (
    <Table label="Tasks" head={["Task", "Policy", ""]}>
      {job.tasks.map((task) => (
        <tr key={task.task}>
          <td className="font-mono text-sm whitespace-nowrap">{task.task}</td>
          <td>{task.title}</td>
          <td className="text-right">
            {task.off_by ? <span title={`left off by ${task.off_by}`}><Status is="off" /></span> : !task.configured ? <Status is="not_configured" /> : task.approval ? <span className="text-sm text-warn">asks for approval</span> : null}
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Firings({ job }: { job: Job }) {
  const found = useQuery(schedules(10));
  return (
    <Loaded query={found}>
      {(all) => {
        const firings = all.find((each) => each.job === job.job)?.firings ?? [];
        if (firings.length === 0) return <Empty title="It is never due by itself" />;
        return (
          <ol className="card divide-y divide-line text-sm">
            {firings.map((firing) => (
              <li key={firing} className="flex justify-between gap-3 px-4 py-1.5">
                <At at={firing} seconds={false} />
                <span className="text-muted">
                  <Ago at={firing} />
                </span>
              </li>
            ))}
          </ol>
        );
      }}
    </Loaded>
  );
}

function Actions({ job }: { job: Job }) {
  const queries = useQueryClient();
  const [pausing, setPausing] = useState(false);
  const isRunning = useQuery(recentRuns({ job: job.job, limit: 30 })).data?.find((run) => run.status === "running");
  const pause = useMutation({
    mutationFn: (body: { reason: string; until: string | null }) => data(api.POST("/api/v1/jobs/{job}/pauses", { params: { path: { job: job.job } }, body })),
    onSuccess: () => {
      setPausing(false);
      void queries.invalidateQueries({ queryKey: ["pauses"] });
    },
  });
  if (!job.configured) return null;
  return (
    <>
      {isRunning && (
        <Link to="/runs/$run" params={{ run: isRunning.run }} className="link">
          It runs: watch it
        </Link>
      )}
      <Allowed role="operator" to="Pause">
        <Button onClick={() => setPausing(true)}>Pause…</Button>
      </Allowed>
      {pausing && (
        <ReasonDialog title={`Pause ${job.job}`} verb="Pause it" until error={pause.error} busy={pause.isPending} onClose={() => setPausing(false)} onDone={(given) => pause.mutate(given)}>
          <p className="text-muted">Its schedule starts nothing until then; each tick says why. By hand it can still be run.</p>
        </ReasonDialog>
      )}
    </>
  );
}

function Paused({ pause }: { pause: Pause }) {
  const queries = useQueryClient();
  const resume = useMutation({
    mutationFn: () => data(api.DELETE("/api/v1/pauses/{pause}", { params: { path: { pause: pause.id } } })),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["pauses"] }),
  });
  return (
    <div className="card mb-4 flex flex-wrap items-center justify-between gap-3 border-warn/50 px-4 py-3">
      <span>
        <Status is="paused" /> {pause.job === "*" ? "Every job is paused: " : ""}
        {pause.reason} <span className="text-muted">({pause.who}, <Ago at={pause.made} />{pause.until && <>, until <At at={pause.until} seconds={false} /></>})</span>
      </span>
      <Allowed role="operator" to="Resume">
        <Button busy={resume.isPending} onClick={() => resume.mutate()}>
          Resume
        </Button>
      </Allowed>
      {resume.error && <ProblemPanel error={resume.error} />}
    </div>
  );
}
