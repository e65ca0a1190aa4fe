import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { AuditLine } from "../api/documents";
import { audit } from "../api/queries";
import { Button, inputLook } from "../parts/Button";
import { Heading, Table } from "../parts/Page";
import { Empty, Loaded } from "../parts/Problem";
import { At } from "../parts/Time";

/** Who did what. */
export function Page() {
  const found = useInfiniteQuery(audit);
  const [q, setQ] = useState("");
  return (
    <>
      <Heading
        title="Ledger"
        sub={
          <>
            Who did what, newest first. Each line's hash covers the line before it, so that a change shows: <code className="font-mono text-sm">steward ledger verify</code> walks the whole chain.
          </>
        }
        actions={<input type="search" aria-label="Search the ledger" placeholder="Search" className={`${inputLook} w-56!`} value={q} onChange={(event) => setQ(event.target.value)} />}
      />
      <Loaded query={found} rows={10}>
        {(pages) => {
          const lines = pages.pages.flatMap((page) => page.lines);
          const shown = q === "" ? lines : lines.filter((line) => JSON.stringify(line).toLowerCase().includes(q.toLowerCase()));
          if (lines.length === 0) return <Empty title="Nothing has happened yet" />;
          return (
            <>
              <Table label="Audit trail" head={["#", "When", "Who", "What", "Of", "Hash"]} numeric={[0]}>
                {shown.map((line) => (
                  <Line key={line.number} line={line} />
                ))}
              </Table>
              {shown.length === 0 && <Empty title="No line that is loaded is like that" />}
              {found.hasNextPage && (
                <div className="mt-4 text-center">
                  <Button busy={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
                    Older lines
                  </Button>
                </div>
              )}
            </>
          );
        }}
      </Loaded>
    </>
  );
}

function Line({ line }: { line: AuditLine }) {
  const detail = typeof line.detail === "object" && line.detail !== null ? Object.entries(line.detail as Record<string, unknown>).filter(([, value]) => value !== "" && value !== null) : [];
  return (
    <tr>
      <td className="num text-muted">{line.number}</td>
      <td>
        <At at={line.at} />
      </td>
      <td>{line.actor}</td>
      <td>
        <span className="font-medium whitespace-nowrap">{line.act.replace(".", " ")}</span>
        {detail.length > 0 && <span className="block max-w-sm text-[0.8125rem] break-words text-muted">{detail.map(([name, value]) => `${name}: ${wordsOf(value)}`).join(", ")}</span>}
      </td>
      <td className="font-mono text-[0.8125rem] whitespace-nowrap">
        {line.act.startsWith("run.") ? (
          <Link to="/runs/$run" params={{ run: line.subject }} className="link">
            {line.subject}
          </Link>
        ) : line.act.startsWith("approval.") ? (
          <Link to="/approvals/$run" params={{ run: line.subject }} className="link">
            {line.subject}
          </Link>
        ) : (
          line.subject
        )}
      </td>
      <td className="font-mono text-[0.8125rem] text-muted" title={line.hash}>
        {line.hash.slice(0, 10)}
      </td>
    </tr>
  );
}

/** What stands in a line's detail, for people: lists with commas, digests by their first twelve digits. */
function wordsOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(wordsOf).join(", ");
  if (typeof value !== "string") return JSON.stringify(value);
  return /^[0-9a-f]{64}$/.test(value) ? value.slice(0, 12) : value;
}
