import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, data } from "../api/client";
import type { Freeze, Hold } from "../api/documents";
import { useOperation } from "../api/operations";
import { freezes, holds } from "../api/queries";
import { Button } from "../parts/Button";
import { Heading, Section, Table, Tabs } from "../parts/Page";
import { Empty, Loaded, ProblemPanel } from "../parts/Problem";
import { ReasonDialog } from "../parts/ReasonDialog";
import { Badge, Status } from "../parts/Status";
import { Ago, At } from "../parts/Time";
import { holds as route } from "../routes";
import { Allowed } from "../session";
import { AddHold } from "./holds/AddHold";

/** What a hold covers, as a person would say it. Pure. */
export function covers(hold: Hold): string {
  const where = hold.where.length > 0 ? ` where ${hold.where.join(" and ")}` : "";
  if (hold.kind === "row") return `${hold.target}${hold.key !== "" && !hold.prefix ? ` ${hold.key}` : ""}${where}`;
  const glob = hold.glob ? ` named ${hold.glob}` : "";
  return hold.kind === "file" ? `${hold.key}${hold.prefix ? "…" : ""}${glob}` : `${hold.target}/${hold.key}${hold.prefix ? "…" : ""}${glob}`;
}

export function Page() {
  const { all = false } = route.useSearch();
  const navigate = useNavigate();
  const found = useQuery(holds(all));
  const [adding, setAdding] = useState(false);
  return (
    <>
      <Heading
        title="Holds and freezes"
        sub="What nothing may remove, and when nothing at all may be removed. Backups go on."
        actions={
          <Allowed role="operator" to="Hold">
            <Button look="primary" onClick={() => setAdding(true)}>
              Hold…
            </Button>
          </Allowed>
        }
      />
      <Section title="Freezes">
        <Freezes />
      </Section>
      <Section title="Holds">
        <Tabs
          value={all ? "all" : "now"}
          tabs={[
            ["now", "In force"],
            ["all", "All that ever were"],
          ]}
          onChange={(tab) => void navigate({ to: "/holds", search: tab === "all" ? { all: true } : {}, replace: true })}
        />
        <Loaded query={found}>
          {(list) =>
            list.length === 0 ? (
              <Empty title="Nothing is held">A hold keeps rows, files or objects from every removal until it is released. What is restored from the archive is held for 30 days by itself.</Empty>
            ) : (
              <Table label="Holds" head={["What", "Why", "By", "Until", ""]}>
                {list.map((hold) => (
                  <HoldRow key={hold.id} hold={hold} />
                ))}
              </Table>
            )
          }
        </Loaded>
      </Section>
      {adding && <AddHold onClose={() => setAdding(false)} />}
    </>
  );
}

function HoldRow({ hold }: { hold: Hold }) {
  const release = useOperation<unknown>(() => data(api.DELETE("/api/v1/holds/{hold}", { params: { path: { hold: hold.id } } })), ["holds", "overview"]);
  const [asked, setAsked] = useState(false);
  return (
    <tr>
      <td>
        <Badge tone="calm">{hold.kind}</Badge> <span className="font-mono text-[0.8125rem] break-all">{covers(hold)}</span>
      </td>
      <td>{hold.reason}</td>
      <td className="text-sm">
        {hold.who} <span className="block text-muted"><Ago at={hold.made} /></span>
      </td>
      <td>{hold.released ? <span className="text-muted">released <Ago at={hold.released} /></span> : hold.until ? <At at={hold.until} seconds={false} /> : "it is released"}</td>
      <td className="text-right">
        {!hold.released && (
          <Allowed role="approver" to="Release">
            {asked ? (
              <Button look="danger-solid" autoFocus busy={release.isBusy} onClick={release.start} onBlur={() => !release.isBusy && setAsked(false)}>
                Release it
              </Button>
            ) : (
              <Button look="quiet" onClick={() => setAsked(true)}>
                Release…
              </Button>
            )}
          </Allowed>
        )}
        {release.error && <ProblemPanel error={release.error} />}
      </td>
    </tr>
  );
}

function Freezes() {
  const queries = useQueryClient();
  const found = useQuery(freezes);
  const [asked, setAsked] = useState(false);
  const stale = () => {
    void queries.invalidateQueries({ queryKey: ["freezes"] });
    void queries.invalidateQueries({ queryKey: ["overview"] });
  };
  const freeze = useMutation({
    mutationFn: (body: { reason: string; until: string | null }) => data(api.POST("/api/v1/freezes", { body })),
    onSuccess: () => {
      setAsked(false);
      stale();
    },
  });
  return (
    <Loaded query={found} rows={1}>
      {(list) => (
        <>
          {list.map((each) => (
            <FreezeRow key={each.id} freeze={each} onLifted={stale} />
          ))}
          {list.length === 0 && (
            <div className="card flex flex-wrap items-center justify-between gap-3 px-4 py-3">
              <span>Nothing is frozen: jobs remove what their plans say.</span>
              <Allowed role="operator" to="Freeze">
                <Button look="danger" onClick={() => setAsked(true)}>
                  Freeze every removal…
                </Button>
              </Allowed>
            </div>
          )}
          {asked && (
            <ReasonDialog title="Freeze every removal" verb="Freeze" danger until error={freeze.error} busy={freeze.isPending} onClose={() => setAsked(false)} onDone={(given) => freeze.mutate(given)}>
              <p className="text-muted">From now on nothing is removed, by any job, from anywhere; runs under way stop before their next batch. Backups go on.</p>
            </ReasonDialog>
          )}
        </>
      )}
    </Loaded>
  );
}

function FreezeRow({ freeze, onLifted }: { freeze: Freeze; onLifted: () => void }) {
  const lift = useMutation({ mutationFn: () => data(api.DELETE("/api/v1/freezes/{freeze}", { params: { path: { freeze: freeze.id } } })), onSettled: onLifted });
  return (
    <div className="card mb-2 flex flex-wrap items-center justify-between gap-3 border-warn/50 px-4 py-3">
      <span>
        <Status is="frozen" /> {freeze.reason} <span className="text-muted">({freeze.who}, <Ago at={freeze.made} />{freeze.until && <>, until <At at={freeze.until} seconds={false} /></>})</span>
      </span>
      <Allowed role="approver" to="Lift">
        <Button busy={lift.isPending} onClick={() => lift.mutate()}>
          Lift
        </Button>
      </Allowed>
      {lift.error && <ProblemPanel error={lift.error} />}
    </div>
  );
}
