import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api, data } from "../api/client";
import type { ApprovalDetail, Failure } from "../api/documents";
import { approval as approvalQuery } from "../api/queries";
import { amount, count } from "../format";
import { Button } from "../parts/Button";
import { Facts, Heading, Section } from "../parts/Page";
import { PlanView, sum } from "../parts/PlanView";
import { Empty, FailurePanel, Loaded } from "../parts/Problem";
import { ReasonDialog } from "../parts/ReasonDialog";
import { Status } from "../parts/Status";
import { Ago, At } from "../parts/Time";
import { approval as route } from "../routes";
import { Allowed, useMe } from "../session";

export function Page() {
  const { run } = route.useParams();
  const found = useQuery(approvalQuery(run));
  return <Loaded query={found}>{(approval) => <Body approval={approval} />}</Loaded>;
}

function Body({ approval }: { approval: ApprovalDetail }) {
  const all = approval.plan ? sum(approval.plan) : null;
  return (
    <>
      <Heading
        title={
          <span className="flex flex-wrap items-center gap-3">
            {approval.job} <Status is={approval.state} />
          </span>
        }
        sub={all ? `Asks to carry out ${approval.tasks.join(", ")}: ${amount(all)}.` : `Asks to carry out ${approval.tasks.join(", ")}.`}
        actions={approval.state === "waiting" && <Answer approval={approval} />}
      />
      <div className="card p-4">
        <Facts
          of={[
            ["Asked", <span key="a"><At at={approval.asked} /> by {approval.asked_by}</span>],
            approval.decided ? ["Answered", <span key="d"><At at={approval.decided} /> by {approval.decided_by}</span>] : ["Good until", <span key="e"><At at={approval.expires} /> (<Ago at={approval.expires} />)</span>],
            ["Plan", <code key="p" className="font-mono text-[0.8125rem]">{approval.digest.slice(0, 16)}</code>],
            ["Run", <Link key="r" to="/runs/$run" params={{ run: approval.run }} className="link font-mono text-[0.8125rem]">{approval.run}</Link>],
            ...(approval.four_eyes ? [["Four eyes", `somebody other than ${approval.asked_by} has to answer`] as [string, string]] : []),
            ...(approval.reason ? [["Reason given", approval.reason] as [string, string]] : []),
            ...(approval.break_glass ? [["Break glass", "approved against the rule of four eyes"] as [string, string]] : []),
          ]}
        />
      </div>
      <Reasons reasons={approval.reasons} />
      <Section title="What exactly will happen">{approval.plan ? <PlanView plan={approval.plan} /> : <Empty title="Its plan is not kept any more">Plans of runs that ended long ago are forgotten; who answered what stays.</Empty>}</Section>
    </>
  );
}

interface Question {
  task: string;
  required: boolean;
  brake: Failure | null;
  changes: { what: string; before: string; now: string }[];
}

/** Why it is asked: a rule, a brake, or what has changed, old beside new. */
function Reasons({ reasons }: { reasons: unknown }) {
  const list = (Array.isArray(reasons) ? reasons : []) as Question[];
  if (list.length === 0) return null;
  return (
    <Section title="Why it is asked">
      <ul className="card divide-y divide-line">
        {list.map((question) => (
          <li key={question.task} className="space-y-1 px-4 py-3">
            <p>
              <span className="font-mono text-sm font-semibold">{question.task}</span>
              {question.required && " needs an approval each time: the configuration says so."}
              {question.changes.length > 0 && " is not what it was when it last ran:"}
            </p>
            {question.brake && <FailurePanel failure={question.brake} />}
            {question.changes.map((change) => (
              <dl key={change.what} className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 text-sm">
                <dt className="text-muted">{change.what} was</dt>
                <dd className="break-words text-bad">{change.before}</dd>
                <dt className="text-muted">{change.what} is</dt>
                <dd className="font-medium break-words">{change.now}</dd>
              </dl>
            ))}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Answer({ approval }: { approval: ApprovalDetail }) {
  const queries = useQueryClient();
  const me = useMe();
  const [open, setOpen] = useState<"approve" | "reject" | "break-glass">();
  const path = { params: { path: { run: approval.run } } };
  const done = {
    onSuccess: () => setOpen(undefined),
    onSettled: () => {
      for (const key of ["approvals", "approval", "runs", "run", "overview"]) void queries.invalidateQueries({ queryKey: [key] });
    },
  };
  const approve = useMutation({
    mutationFn: (reason: string) => data(api.POST("/api/v1/approvals/{run}", { ...path, body: { digest: approval.digest, ...(reason ? { reason } : {}), ...(open === "break-glass" ? { break_glass: true } : {}) } })),
    ...done,
  });
  const reject = useMutation({ mutationFn: (reason: string) => data(api.DELETE("/api/v1/approvals/{run}", { ...path, body: { reason } })), ...done });
  const items = approval.plan ? sum(approval.plan).items : null;
  const isMine = approval.four_eyes && me?.name === approval.asked_by;
  const close = () => {
    setOpen(undefined);
    approve.reset();
    reject.reset();
  };
  return (
    <Allowed role="approver" to="Approve or reject">
      <Button look="danger" onClick={() => setOpen("reject")}>
        Reject…
      </Button>
      {isMine ? (
        me.role === "administrator" && (
          <Button look="danger" onClick={() => setOpen("break-glass")}>
            Break glass…
          </Button>
        )
      ) : (
        <Button look="primary" onClick={() => setOpen("approve")}>
          {items === null ? "Approve…" : `Approve ${count(items)} ${items === 1 ? "removal" : "removals"}…`}
        </Button>
      )}
      {isMine && <p className="w-full text-right text-sm text-muted">You have asked for it: somebody else has to approve.</p>}
      {open === "reject" && (
        <ReasonDialog title="Reject this plan" verb="Reject it" danger error={reject.error} busy={reject.isPending} onClose={close} onDone={({ reason }) => reject.mutate(reason)}>
          <p className="text-muted">The run ends, and nothing of what it asked for is done.</p>
        </ReasonDialog>
      )}
      {open === "approve" && (
        <ReasonDialog title={items === null ? "Approve this plan" : `Approve ${count(items)} removals`} verb="Approve it" optional error={approve.error} busy={approve.isPending} onClose={close} onDone={({ reason }) => approve.mutate(reason)}>
          <p className="text-muted">It is done at once. If there is more to do by then than this plan says, the run stops and asks again.</p>
        </ReasonDialog>
      )}
      {open === "break-glass" && (
        <ReasonDialog title="Approve against the rule of four eyes" verb="Break glass" danger typed={approval.job} error={approve.error} busy={approve.isPending} onClose={close} onDone={({ reason }) => approve.mutate(reason)}>
          <p className="text-warn">Everyone is told, and the ledger keeps it for good.</p>
        </ReasonDialog>
      )}
    </Allowed>
  );
}
