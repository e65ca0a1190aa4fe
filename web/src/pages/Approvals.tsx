import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { approvals } from "../api/queries";
import { Heading, Table, Tabs } from "../parts/Page";
import { Empty, Loaded } from "../parts/Problem";
import { Status } from "../parts/Status";
import { Ago } from "../parts/Time";
import { useSearch } from "@tanstack/react-router";

export function Page() {
  const { all = false } = useSearch({ from: "/inside/approvals" });
  const navigate = useNavigate();
  const found = useQuery(approvals(all));
  return (
    <>
      <Heading title="Approvals" sub="What asks for a person before it is done. Looking never answers; an answer is for the very plan that you read." />
      <Tabs
        value={all ? "all" : "waiting"}
        tabs={[
          ["waiting", "Waiting"],
          ["all", "History"],
        ]}
        onChange={(tab) => void navigate({ to: "/approvals", search: tab === "all" ? { all: true } : {}, replace: true })}
      />
      <Loaded query={found}>
        {(list) =>
          list.length === 0 ? (
            <Empty title={all ? "Nothing was ever asked for" : "Nothing waits for you"}>
              A job asks where its configuration says <code className="font-mono">approval: required</code>, when a brake stops a scheduled run, and the first time after a policy has changed.
            </Empty>
          ) : (
            <Table label="Approvals" head={["What", "State", "Asked", all ? "Answered" : "Good until", "Plan"]}>
              {list.map((approval) => (
                <tr key={approval.run}>
                  <td>
                    <Link to="/approvals/$run" params={{ run: approval.run }} data-row className="font-semibold hover:underline">
                      {approval.job}: {approval.tasks.join(", ")}
                    </Link>
                  </td>
                  <td>
                    <Status is={approval.state} />
                  </td>
                  <td>
                    <Ago at={approval.asked} /> <span className="block text-sm text-muted">by {approval.asked_by}</span>
                  </td>
                  <td>
                    {all ? (
                      approval.decided ? (
                        <>
                          <Ago at={approval.decided} /> <span className="block text-sm text-muted">{approval.decided_by}</span>
                        </>
                      ) : (
                        "–"
                      )
                    ) : (
                      <Ago at={approval.expires} />
                    )}
                  </td>
                  <td className="font-mono text-[0.8125rem]">{approval.digest.slice(0, 12)}</td>
                </tr>
              ))}
            </Table>
          )
        }
      </Loaded>
    </>
  );
}
