import { useState } from "react";
import { api, data } from "../../api/client";
import type { ArchiveList, RunResult } from "../../api/documents";
import { useOperation } from "../../api/operations";
import { bytes, count, plural } from "../../format";
import { Button, Field, inputLook } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { ProblemPanel } from "../../parts/Problem";

/** What is to come back: all that a run archived of a table, or rows by their keys. */
export interface Wanted {
  kept?: ArchiveList["runs"][number];
  /** A row that was chosen already. */
  row?: { table: string; key: string };
}
/** Some rows by their keys, or all that a run archived of a table. */
export function Restore({ of, tables, onClose, onDone }: { of: Wanted; tables: string[]; onClose: () => void; onDone: () => void }) {
  const [table, setTable] = useState(of.row?.table ?? of.kept?.table ?? tables[0] ?? "");
  const [keys, setKeys] = useState("");
  const wanted = of.row ? [of.row.key] : keys.split(/[\s,]+/).filter((key) => key !== "");
  const restore = useOperation<RunResult>(() => data(api.POST("/api/v1/archive/restore", { body: { table, ...(of.kept ? { run: of.kept.run } : {}), ...(wanted.length > 0 ? { keys: wanted } : {}) } })), ["runs", "holds", "overview"]);
  const isAll = wanted.length === 0;
  return (
    <Dialog
      title="Bring back from the archive"
      onClose={() => {
        if (restore.result) onDone();
        onClose();
      }}
    >
      {restore.result ? (
        <div role="status" className="space-y-2">
          {restore.result.tasks.map((task) => (
            <p key={task.task}>
              <strong className="tabular-nums">{plural(task.done.items, "item")}</strong> restored. {task.skipped.map((skip) => `${count(skip.items)} not: ${skip.reason}.`).join(" ")} {task.error?.message}
            </p>
          ))}
          {restore.result.tasks.some((task) => task.done.items > 0) && (
            <p className="text-muted">What was restored is held for 30 days, so that tonight's run does not take it again. The archive keeps its copy.</p>
          )}
          <div className="flex justify-end">
            <Button look="primary" onClick={() => { onDone(); onClose(); }}>
              Done
            </Button>
          </div>
        </div>
      ) : (
        <form
          className="space-y-4"
          onSubmit={(event) => {
            event.preventDefault();
            restore.start();
          }}
        >
          {of.row ? (
            <p>
              The row <strong>{of.row.key}</strong> of <strong>{of.row.table}</strong>, with its file where it has one, as it was archived last.
            </p>
          ) : of.kept ? (
            <p>
              From <code className="font-mono text-[0.8125rem]">{of.kept.run}</code>, table <strong>{of.kept.table}</strong>: {plural(of.kept.items, "item")}, {bytes(of.kept.bytes)}.
            </p>
          ) : (
            <Field label="Table">
              <select className={inputLook} value={table} onChange={(event) => setTable(event.target.value)}>
                {tables.map((each) => (
                  <option key={each}>{each}</option>
                ))}
              </select>
            </Field>
          )}
          {!of.row && (
            <Field label="Keys" hint="Primary keys, with spaces or commas between them. Without any, all of it.">
              <input className={inputLook} autoFocus required={!of.kept} value={keys} onChange={(event) => setKeys(event.target.value)} />
            </Field>
          )}
          <p className="text-sm text-muted">Files come first, then their rows, value for value. A row that is there already and equal counts as restored; what clashes is left out, with the reason.</p>
          {restore.error && <ProblemPanel error={restore.error} />}
          <div className="flex justify-end gap-2">
            <Button onClick={onClose}>Not now</Button>
            <Button type="submit" look="primary" busy={restore.isBusy}>
              {isAll && of.kept ? `Restore ${plural(of.kept.items, "item")}` : `Restore ${plural(wanted.length, "row")}`}
            </Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
