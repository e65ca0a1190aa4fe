import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ticks } from "../../api/queries";
import { Table } from "../../parts/Page";
import { Empty, Loaded } from "../../parts/Problem";
import { Status } from "../../parts/Status";
import { At } from "../../parts/Time";

/** Every due moment and what became of it: also, and above all, of those that did not run. */
export function Ticks({ job }: { job: string }) {
  const found = useQuery(ticks({ job, limit: 200 }));
  return (
    <Loaded query={found}>
      {(all) =>
        all.length === 0 ? (
          <Empty title="It has not been due since this daemon knows its schedule" />
        ) : (
          <Table label="Ticks" head={["Due", "Outcome", "Why", "Run"]}>
            {all.map((tick) => (
              <tr key={tick.tick}>
                <td>
                  <At at={tick.tick} />
                  {tick.since && (
                    <span className="block text-sm text-muted">
                      and those since <At at={tick.since} />
                    </span>
                  )}
                </td>
                <td>
                  <Status is={tick.outcome} />
                </td>
                <td>{tick.reason}</td>
                <td>
                  {tick.run && (
                    <Link to="/runs/$run" params={{ run: tick.run }} className="link font-mono text-[0.8125rem] whitespace-nowrap">
                      {tick.run}
                    </Link>
                  )}
                </td>
              </tr>
            ))}
          </Table>
        )
      }
    </Loaded>
  );
}
