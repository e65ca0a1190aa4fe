import { useState, type FormEvent } from "react";
import { api, data } from "../../api/client";
import { useOperation } from "../../api/operations";
import { endOfDay } from "../../format";
import { Button, Field, inputLook } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { ProblemPanel } from "../../parts/Problem";

/** Keeps rows, files or objects from every removal. `of`: a row that was chosen already. */
export function AddHold({ of, onClose }: { of?: { table: string; key: string }; onClose: () => void }) {
  const [kind, setKind] = useState<"row" | "file" | "object">("row");
  const [table, setTable] = useState(of?.table ?? "mockups");
  const [what, setWhat] = useState(of?.key ?? "");
  const [where, setWhere] = useState("");
  const [prefix, setPrefix] = useState(false);
  const [reason, setReason] = useState("");
  const [date, setDate] = useState("");
  const body = {
    ...(kind === "row" ? { table, ...(what ? { key: what } : {}), ...(where ? { where: where.split(/\n/).map((line) => line.trim()).filter((line) => line !== "") } : {}) } : kind === "file" ? { path: what } : { object: what }),
    ...(prefix && kind !== "row" ? { prefix: true } : {}),
    reason: reason.trim(),
    ...(date ? { until: endOfDay(date) } : {}),
  };
  const add = useOperation<unknown>(() => data(api.POST("/api/v1/holds", { body })), ["holds", "overview"]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.start();
  };
  if (add.result !== undefined)
    return (
      <Dialog title="Held" onClose={onClose}>
        <p role="status">It is in force, and every run under way has seen it.</p>
        <div className="mt-4 flex justify-end">
          <Button look="primary" autoFocus onClick={onClose}>
            Done
          </Button>
        </div>
      </Dialog>
    );
  return (
    <Dialog title="Hold" onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        <Field label="What">
          <select className={inputLook} value={kind} onChange={(event) => setKind(event.target.value as "row" | "file" | "object")}>
            <option value="row">rows of a table</option>
            <option value="file">files</option>
            <option value="object">objects of a bucket</option>
          </select>
        </Field>
        {kind === "row" && (
          <Field label="Table">
            <input className={inputLook} required value={table} onChange={(event) => setTable(event.target.value)} />
          </Field>
        )}
        <Field label={kind === "row" ? "Primary key" : kind === "file" ? "Path, or a pattern" : "Address, s3://bucket/key"} hint={kind === "row" ? "Of one row. Leave it empty and give a condition, for many." : undefined}>
          <input className={inputLook} required={kind !== "row" || where === ""} value={what} onChange={(event) => setWhat(event.target.value)} />
        </Field>
        {kind === "row" ? (
          <Field label="Conditions" hint="Column, operator, value: idea_id = 7. One a line; all of them have to be met.">
            <textarea className={inputLook} rows={2} value={where} onChange={(event) => setWhere(event.target.value)} />
          </Field>
        ) : (
          <label className="flex items-center gap-2">
            <input type="checkbox" className="accent-accent" checked={prefix} onChange={(event) => setPrefix(event.target.checked)} /> and everything that begins with it
          </label>
        )}
        <Field label="Reason">
          <input className={inputLook} required maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />
        </Field>
        <Field label="Until (the end of that day, UTC; without: until it is released)">
          <input className={inputLook} type="date" value={date} onChange={(event) => setDate(event.target.value)} />
        </Field>
        {add.error && <ProblemPanel error={add.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Not now</Button>
          <Button type="submit" look="primary" busy={add.isBusy}>
            Hold it
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
