import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { RunDetail } from "../../api/documents";
import { runItems } from "../../api/queries";
import { bytes, plural } from "../../format";
import { Button, inputLook } from "../../parts/Button";
import { Section, Table } from "../../parts/Page";
import { Empty, ProblemPanel } from "../../parts/Problem";
import { Status } from "../../parts/Status";
import { At } from "../../parts/Time";
import { run as route } from "../../routes";

/** What the run moved, by name. Nothing at all where it has no such list: rows are counted, and in the archive. */
export function Items({ run }: { run: RunDetail }) {
  const filter = route.useSearch();
  const navigate = useNavigate();
  const [typed, setTyped] = useState(filter.name ?? "");
  useEffect(() => setTyped(filter.name ?? ""), [filter.name]);
  const found = useInfiniteQuery({
    ...runItems(run.run, { ...(filter.items ? { task: filter.items } : {}), ...(filter.name ? { match: filter.name } : {}) }),
    enabled: run.status !== "queued" && run.status !== "waiting",
    retry: false,
  });
  const change = (next: { items?: string; name?: string }) => {
    const merged = Object.fromEntries(Object.entries({ ...filter, ...next }).filter(([, value]) => value));
    void navigate({ to: "/runs/$run", params: { run: run.run }, search: merged, replace: true, resetScroll: false });
  };
  const first = found.data?.pages[0];
  if (!found.data || !first) return found.error ? <ProblemPanel error={found.error} again={() => void found.refetch()} /> : null;
  if (first.task === null) return null;
  const items = found.data.pages.flatMap((page) => page.items);
  return (
    <Section
      title="What it moved"
      aside={
        <form
          role="search"
          className="flex flex-wrap items-center gap-2"
          onSubmit={(event) => {
            event.preventDefault();
            change({ name: typed.trim() });
          }}
        >
          {first.tasks.length > 1 && (
            <select aria-label="Task" className={`${inputLook} w-auto!`} value={first.task} onChange={(event) => change({ items: event.target.value })}>
              {first.tasks.map((task) => (
                <option key={task}>{task}</option>
              ))}
            </select>
          )}
          <input type="search" aria-label="Search by name" placeholder="Name" className={`${inputLook} w-48!`} value={typed} onChange={(event) => setTyped(event.target.value)} />
          <Button type="submit">Search</Button>
        </form>
      }
    >
      {items.length === 0 && !found.hasNextPage ? (
        <Empty title={filter.name ? "Nothing that it moved has such a name" : "It moved nothing"} />
      ) : (
        <Table label="What it moved" head={["Name", "", "Bytes", "Last changed"]} numeric={[2]}>
          {items.map((item, index) => (
            <tr key={index}>
              <td className="font-mono text-[0.8125rem] break-all">
                {item.name}
                {item.to && <span className="block text-muted">→ {item.to}</span>}
                {item.version && <span className="block text-muted">version {item.version}</span>}
                {item.reason && <span className="block font-sans text-muted">{item.reason}</span>}
              </td>
              <td>
                <Status is={item.what} />
              </td>
              <td className="num whitespace-nowrap">{item.bytes === null ? "–" : bytes(item.bytes)}</td>
              <td className="whitespace-nowrap">{item.modified ? <At at={item.modified} seconds={false} /> : "–"}</td>
            </tr>
          ))}
        </Table>
      )}
      <p role="status" className="mt-3 flex flex-wrap items-center justify-center gap-3 text-sm text-muted">
        {items.length > 0 && `${plural(items.length, "item")} shown`}
        {found.hasNextPage && (
          <Button busy={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
            {items.length === 0 ? "None so far: look further" : "More"}
          </Button>
        )}
      </p>
    </Section>
  );
}
