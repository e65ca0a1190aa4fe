import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Stays, Tonight as Plan } from "../../api/documents";
import { staying, tonight } from "../../api/queries";
import { amount, count, plural, sumOf } from "../../format";
import { Section, Table } from "../../parts/Page";
import { sentence } from "../../parts/Problem";
import { Badge } from "../../parts/Status";
import { Ago, At } from "../../parts/Time";

/** What the next run of each job would remove, beside what it usually does; and what stays, night after night. */
export function Tonight() {
  const plans = useQuery(tonight).data ?? [];
  const stays = useQuery(staying).data ?? [];
  return (
    <>
      {plans.length > 0 && (
        <Section title="What would go next" aside="looked at without changing anything, at most once an hour">
          <div className="space-y-3">
            {plans.map((plan) => (
              <One key={plan.job} plan={plan} />
            ))}
          </div>
        </Section>
      )}
      {stays.length > 0 && <Staying all={stays} />}
    </>
  );
}

const none = { items: 0, bytes: null };

function One({ plan }: { plan: Plan }) {
  const planned = sumOf(plan.tasks.map((task) => task.planned ?? none));
  const known = plan.tasks.filter((task) => task.usual !== null);
  const usual = sumOf(known.map((task) => task.usual ?? none));
  const shown = plan.tasks.filter((task) => (task.planned?.items ?? 0) > 0 || task.brake || task.error);
  return (
    <article className="card p-4" aria-label={`Next: ${plan.job}`}>
      <div className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
        <h3>
          <Link to="/jobs/$job" params={{ job: plan.job }} search={{ tab: "plan" }} className="font-semibold hover:underline">
            {plan.job}
          </Link>{" "}
          {plan.fires ? (
            <span className="text-muted">
              <Ago at={plan.fires} />
            </span>
          ) : (
            <span className="text-muted">when somebody starts it</span>
          )}
        </h3>
        <p className="text-sm text-muted">
          {plan.making ? "being looked at…" : plan.made && <>as of <At at={plan.made} seconds={false} /></>}
        </p>
      </div>
      {plan.error && <p className="mt-1 text-bad">{sentence(plan.error)}</p>}
      {plan.made && !plan.error && (
        <p className="mt-1">
          <strong className="tabular-nums">{planned.items === 0 ? "Nothing" : `About ${amount(planned)}`}</strong>
          {known.length > 0 && <span className="text-muted">, usually {usual.items === 0 ? "nothing" : amount(usual)}</span>}
        </p>
      )}
      {shown.length > 0 && (
        <ul className="mt-2 grid gap-x-6 gap-y-1 text-sm sm:grid-cols-2">
          {shown.map((task) => (
            <li key={task.task} className="flex flex-wrap items-baseline justify-between gap-x-3">
              <span className="font-mono text-[0.8125rem]">{task.task}</span>
              <span className="tabular-nums">
                {task.error ? <Badge tone="bad">✕ cannot be looked at</Badge> : amount(task.planned ?? none)}
                {task.usual && <span className="text-muted"> (usually {count(task.usual.items)})</span>}
              </span>
              {task.brake ? <span className="basis-full text-bad">A brake would stop it: {task.brake.message}</span> : null}
              {task.error ? <span className="basis-full text-bad">{sentence(task.error.message)}</span> : null}
            </li>
          ))}
        </ul>
      )}
    </article>
  );
}

function Staying({ all }: { all: Stays[] }) {
  return (
    <Section title="What stays, night after night">
      <Table label="What stays" head={["Task", "Stays", "Why", "Since"]} numeric={[1]}>
        {all.map((each) => (
          <tr key={each.task + each.reason}>
            <td className="font-mono text-sm whitespace-nowrap">
              <Link to="/jobs/$job" params={{ job: each.job }} className="hover:underline">
                {each.task}
              </Link>
            </td>
            <td className="num">{count(each.items)}</td>
            <td>
              {each.reason}
              {each.examples.length > 0 && <span className="block text-[0.8125rem] break-all text-muted">{each.examples.slice(0, 3).join(", ")}</span>}
            </td>
            <td className="whitespace-nowrap">
              <Ago at={each.since} />
              <span className="block text-[0.8125rem] text-muted">{plural(each.runs, "run")}{each.runs >= 30 ? " or more" : ""}</span>
            </td>
          </tr>
        ))}
      </Table>
    </Section>
  );
}
