import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, data } from "../../api/client";
import type { Job, Plan } from "../../api/documents";
import { useOperation } from "../../api/operations";
import { amount, count } from "../../format";
import { Button } from "../../parts/Button";
import { PlanView, sum } from "../../parts/PlanView";
import { Empty, ProblemPanel } from "../../parts/Problem";
import { Ago } from "../../parts/Time";
import { Allowed } from "../../session";

/** First what would happen, then the button that does it and says how much. */
export function PlanTab({ job }: { job: Job }) {
  const tasks = job.tasks.filter((task) => task.configured && !task.off_by).map((task) => task.task);
  const [chosen, setChosen] = useState<string[]>([]);
  const only = chosen.length > 0 && chosen.length < tasks.length ? chosen : undefined;
  const plan = useOperation<Plan>(() => data(api.POST("/api/v1/plans", { body: { job: job.job, ...(only ? { tasks: only } : {}) } })));
  const made = plan.result;
  return (
    <>
      <div className="mb-4 flex flex-wrap items-center gap-x-4 gap-y-2">
        <Button look={made ? "plain" : "primary"} busy={plan.isBusy} onClick={plan.start}>
          {made ? "Plan again" : "Plan"}
        </Button>
        <fieldset className="flex flex-wrap gap-x-3 gap-y-1 text-sm" disabled={plan.isBusy}>
          <legend className="sr-only">Tasks to plan</legend>
          {tasks.map((task) => (
            <label key={task} className="inline-flex items-center gap-1.5">
              <input
                type="checkbox"
                className="accent-accent"
                checked={chosen.length === 0 || chosen.includes(task)}
                onChange={(event) => {
                  const before = chosen.length === 0 ? tasks : chosen;
                  const next = event.target.checked ? [...before, task] : before.filter((each) => each !== task);
                  setChosen(next.length === tasks.length ? [] : next);
                  plan.reset();
                }}
              />
              <span className="font-mono text-[0.8125rem]">{task}</span>
            </label>
          ))}
        </fieldset>
      </div>
      {plan.error && <ProblemPanel error={plan.error} again={plan.start} />}
      {!made && !plan.error && !plan.isBusy && <Empty title="See what a run would do now">A plan changes nothing. It counts what would go, what stays and why; you run it from there.</Empty>}
      {made && (
        <>
          <RunFromPlan job={job} plan={made} only={only} />
          <PlanView plan={made} />
        </>
      )}
    </>
  );
}

function RunFromPlan({ job, plan, only }: { job: Job; plan: Plan; only: string[] | undefined }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [asked, setAsked] = useState(false);
  const [key] = useState(() => crypto.randomUUID());
  const all = sum(plan);
  const final = plan.tasks.filter((step) => step.final).reduce((items, step) => items + step.planned.items, 0);
  const stopped = plan.tasks.filter((step) => step.brake);
  const run = useMutation({
    mutationFn: () =>
      data(
        api.POST("/api/v1/jobs/{job}/runs", {
          params: { path: { job: job.job }, header: { "Idempotency-Key": `${plan.digest ?? plan.made} ${key}` } },
          body: { ...(plan.digest ? { plan: plan.digest } : {}), ...(only ? { tasks: only } : {}) },
        }),
      ),
    onSuccess: (started) => {
      void queries.invalidateQueries({ queryKey: ["runs"] });
      void navigate({ to: "/runs/$run", params: { run: started.run } });
    },
  });
  return (
    <div className="card mb-3 flex flex-wrap items-center justify-between gap-3 px-4 py-3">
      <p>
        <strong className="tabular-nums">{amount(all)}</strong> would go, {count(final)} of them for good. <span className="text-muted">Planned <Ago at={plan.made} />{plan.digest && <>, <code className="font-mono text-[0.8125rem]">{plan.digest.slice(0, 12)}</code></>}</span>
        {stopped.length > 0 && <span className="block text-bad">A brake stops {stopped.map((step) => step.task).join(", ")}: that part waits for an approval.</span>}
      </p>
      <Allowed role="operator" to="Run">
        {all.items === 0 ? (
          <Button busy={run.isPending} onClick={() => run.mutate()}>
            Run anyway
          </Button>
        ) : asked ? (
          <span className="flex gap-2">
            <Button onClick={() => setAsked(false)}>Not now</Button>
            <Button look="danger-solid" autoFocus busy={run.isPending} onClick={() => run.mutate()}>
              Remove {count(all.items)} {all.items === 1 ? "item" : "items"}
            </Button>
          </span>
        ) : (
          <Button look="primary" onClick={() => setAsked(true)}>
            Run…
          </Button>
        )}
      </Allowed>
      {run.error && <ProblemPanel error={run.error} />}
    </div>
  );
}
