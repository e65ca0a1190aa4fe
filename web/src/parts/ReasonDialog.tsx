import { useState, type FormEvent, type ReactNode } from "react";
import { endOfDay } from "../format";
import { Button, Field, inputLook } from "./Button";
import { Dialog } from "./Dialog";
import { ProblemPanel } from "./Problem";

/** Asks why, and where it makes sense until when; and where it is dangerous, for a name to be typed. */
export function ReasonDialog({
  title,
  verb,
  danger = false,
  until = false,
  optional = false,
  typed,
  error,
  busy,
  children,
  onClose,
  onDone,
}: {
  title: string;
  verb: string;
  danger?: boolean;
  until?: boolean;
  optional?: boolean;
  typed?: string;
  error?: unknown;
  busy: boolean;
  children?: ReactNode;
  onClose: () => void;
  onDone: (given: { reason: string; until: string | null }) => void;
}) {
  const [reason, setReason] = useState("");
  const [date, setDate] = useState("");
  const [name, setName] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onDone({ reason: reason.trim(), until: date === "" ? null : endOfDay(date) });
  };
  const ready = (optional || reason.trim() !== "") && (typed === undefined || name === typed);
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        {children}
        <Field label={optional ? "Reason (if you like)" : "Reason"} hint="It stays in the ledger, for whoever asks later.">
          <textarea className={inputLook} rows={2} maxLength={500} autoFocus required={!optional} value={reason} onChange={(event) => setReason(event.target.value)} />
        </Field>
        {until && (
          <Field label="Until (the end of that day, UTC; without: until it is ended)">
            <input className={inputLook} type="date" value={date} onChange={(event) => setDate(event.target.value)} />
          </Field>
        )}
        {typed !== undefined && (
          <Field label={`Type ${typed} to go on`}>
            <input className={inputLook} autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />
          </Field>
        )}
        {error !== undefined && error !== null && <ProblemPanel error={error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Not now</Button>
          <Button type="submit" look={danger ? "danger-solid" : "primary"} disabled={!ready} busy={busy}>
            {verb}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
