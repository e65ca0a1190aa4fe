import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { jobs, schedules } from "../api/queries";
import { Heading, Table } from "../parts/Page";
import { Loaded } from "../parts/Problem";
import { Badge, Status } from "../parts/Status";
import { Ago } from "../parts/Time";
import { titleOf } from "./job/titles";

export function Page() {
  const found = useQuery(jobs);
  const due = useQuery(schedules(1)).data ?? [];
  return (
    <>
      <Heading title="Jobs" sub="Everything that steward can do here. What is not configured never runs, and says what to set." />
      <Loaded query={found}>
        {(all) => (
          <Table label="Jobs" head={["Job", "What it does", "Schedule", "Next", ""]}>
            {[...all]
              .sort((a, b) => Number(b.configured) - Number(a.configured))
              .map((job) => {
                const next = due.find((each) => each.job === job.job)?.firings[0];
                return (
                  <tr key={job.job} className={job.configured ? "" : "text-muted"}>
                    <td>
                      <Link to="/jobs/$job" params={{ job: job.job }} data-row className="font-semibold whitespace-nowrap hover:underline">
                        {job.job}
                      </Link>
                    </td>
                    <td>{titleOf(job.job)}</td>
                    <td className="whitespace-nowrap">
                      <code className="font-mono text-[0.8125rem]">{job.schedule}</code> <span className="text-sm text-muted">{job.time_zone}</span>
                    </td>
                    <td>{job.configured && next ? <Ago at={next} /> : "–"}</td>
                    <td className="text-right whitespace-nowrap">
                      {!job.configured ? <Status is="not_configured" /> : job.approval ? <Badge tone="warn">asks for approval</Badge> : null}
                    </td>
                  </tr>
                );
              })}
          </Table>
        )}
      </Loaded>
    </>
  );
}
