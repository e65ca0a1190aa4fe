import { amount, bytes, count, plural, sumOf } from "../format";
import type { Plan, Skip, Step } from "../api/documents";
import { FailurePanel, sentence } from "./Problem";
import { Badge, Status } from "./Status";
import { At } from "./Time";

/** Of a whole plan. Pure. */
export const sum = (plan: Plan) => sumOf(plan.tasks.map((step) => step.planned));

/** What would happen, step by step: what people approve is what they read here. */
export function PlanView({ plan }: { plan: Plan }) {
  return (
    <div className="space-y-3">
      {plan.tasks.map((step) => (
        <StepView key={step.task} job={plan.job} step={step} />
      ))}
    </div>
  );
}

function StepView({ job, step }: { job: string; step: Step }) {
  if (step.status !== "ready" && !step.error)
    return (
      <article className="card flex flex-wrap items-center justify-between gap-2 px-4 py-3">
        <h3 className="font-mono text-sm font-medium text-muted">{step.task}</h3>
        <span className="flex flex-wrap items-center gap-2 text-sm text-muted">
          {step.needs.length > 0 ? `set ${step.needs.join(", ")}` : step.reason}
          <Status is={step.status} />
        </span>
      </article>
    );
  return (
    <article className="card p-4">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
        <h3 className="font-mono text-sm font-semibold">{step.task}</h3>
        <p className="text-lg font-semibold tabular-nums">
          {amount(step.planned)}
          {step.population !== null && step.population > 0 && <span className="ml-2 text-sm font-normal text-muted">of {count(step.population)}</span>}
        </p>
      </div>
      {step.error && <FailurePanel failure={step.error} />}
      {step.brake && (
        <div className="mt-2">
          <p className="mb-1 text-sm font-semibold text-bad">A brake stops this task</p>
          <FailurePanel failure={step.brake} />
        </div>
      )}
      {!step.error && (
        <>
          <p className="mt-2">
            {sentence(step.strategy)} {step.final ? <Badge tone="warn">final: what goes is gone for good</Badge> : job === "cleanup" && <Badge tone="good">archived first, can be restored</Badge>}
          </p>
          <dl className="mt-3 grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 text-sm">
            <Row name="From">
              <span className="break-all">{step.target}</span>
            </Row>
            <Row name="Why">{step.reason}</Row>
            {step.cutoff && step.age && (
              <Row name="Older than">
                <At at={step.cutoff} />
              </Row>
            )}
            {step.oldest && step.newest && (
              <Row name="Oldest, newest">
                <At at={step.oldest} seconds={false} /> … <At at={step.newest} seconds={false} />
              </Row>
            )}
            {(step.consequences ?? []).map((each) => (
              <Row key={each.target} name="Also">
                {plural(each.rows, "row")} of {each.target}: {each.what.replaceAll("-", " ")}
              </Row>
            ))}
            {step.forecast && <Row name="Forecast">{step.forecast.reason}</Row>}
          </dl>
          {step.notes.map((note) => (
            <p key={note} className="mt-2 text-sm text-warn">
              {sentence(note)}
            </p>
          ))}
          <Skipped skips={step.skipped} />
          {step.samples.length > 0 && (
            <details className="mt-3 text-sm">
              <summary className="font-medium">Samples</summary>
              <ul className="mt-1 space-y-0.5 font-mono text-[0.8125rem]">
                {step.samples.map((sample) => (
                  <li key={sample.item} className="break-all">
                    {sample.item}
                    <span className="text-muted">
                      {sample.bytes !== null && `  ${bytes(sample.bytes)}`} {sample.at && <At at={sample.at} />}
                    </span>
                  </li>
                ))}
              </ul>
            </details>
          )}
          <details className="mt-2 text-sm">
            <summary className="font-medium">The exact rule</summary>
            <p className="mt-1 font-mono text-[0.8125rem] break-words">{step.filter}</p>
          </details>
        </>
      )}
    </article>
  );
}

const Row = ({ name, children }: { name: string; children: React.ReactNode }) => (
  <>
    <dt className="text-muted">{name}</dt>
    <dd className="min-w-0 break-words">{children}</dd>
  </>
);

/** What stays although it is old, and why. */
export function Skipped({ skips }: { skips: Skip[] }) {
  if (skips.length === 0) return null;
  return (
    <details className="mt-3 text-sm">
      <summary className="font-medium">
        {plural(
          skips.reduce((all, skip) => all + skip.items, 0),
          "item",
        )}{" "}
        stay: {skips.map((skip) => skip.reason).join(", ")}
      </summary>
      <ul className="mt-1 space-y-1">
        {skips.map((skip) => (
          <li key={skip.reason}>
            <span className="tabular-nums">{count(skip.items)}</span> {skip.reason}
            {skip.examples.length > 0 && <span className="block font-mono text-[0.8125rem] break-all text-muted">{skip.examples.join(", ")}</span>}
          </li>
        ))}
      </ul>
    </details>
  );
}
