import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";
import { api, data } from "../api/client";
import { Button, Field, inputLook } from "../parts/Button";
import { Dialog } from "../parts/Dialog";
import { ProblemPanel } from "../parts/Problem";
import { theme, zone, type Theme } from "../preferences";
import { useMe } from "../session";

/** Who is signed in, and what only they want: theme, zone, password, to leave. */
export function Account({ onHelp, onPalette }: { onHelp: () => void; onPalette: () => void }) {
  const me = useMe();
  const chosenTheme = theme.use();
  const chosenZone = zone.use();
  const [isOpen, setOpen] = useState(false);
  return (
    <div className="space-y-1 px-1 text-[0.8125rem]">
      <div className="flex flex-wrap gap-1">
        <Segments label="Theme" value={chosenTheme} options={[["system", "Auto"], ["light", "Light"], ["dark", "Dark"]]} onChange={(value) => theme.set(value as Theme)} />
        <Segments label="Zone of times" value={chosenZone} options={[["utc", "UTC"], ["local", "Local"]]} onChange={(value) => zone.set(value as "utc" | "local")} />
      </div>
      <div className="flex justify-between">
        <Button look="quiet" className="px-2! whitespace-nowrap" onClick={onPalette}>
          Go to <kbd className="font-mono text-xs">Ctrl K</kbd>
        </Button>
        <Button look="quiet" className="px-2! whitespace-nowrap" onClick={onHelp}>
          Keys <kbd className="font-mono text-xs">?</kbd>
        </Button>
      </div>
      {me && (
        <Button className="w-full justify-between!" onClick={() => setOpen(true)}>
          <span className="truncate">{me.name}</span>
          <span className="text-muted">{me.role}</span>
        </Button>
      )}
      {isOpen && me && <AccountDialog name={me.name} onClose={() => setOpen(false)} />}
    </div>
  );
}

function Segments({ label, value, options, onChange }: { label: string; value: string; options: [string, string][]; onChange: (value: string) => void }) {
  return (
    <div role="radiogroup" aria-label={label} className="flex flex-1 rounded-lg bg-raised p-0.5">
      {options.map(([key, words]) => (
        <button key={key} role="radio" aria-checked={key === value} onClick={() => onChange(key)} className={`flex-1 rounded-md px-1.5 py-1 text-xs font-medium ${key === value ? "bg-surface text-ink shadow-sm" : "text-muted"}`}>
          {words}
        </button>
      ))}
    </div>
  );
}

function AccountDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const leave = useMutation({
    mutationFn: (everywhere: boolean) => data(api.POST("/api/v1/logout", { body: { everywhere } })),
    onSuccess: () => {
      queries.clear();
      void navigate({ to: "/signin" });
    },
  });
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const change = useMutation({
    mutationFn: () => data(api.PUT("/api/v1/me/password", { body: { current, new: next } })),
    onSuccess: () => {
      setCurrent("");
      setNext("");
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <Dialog title={name} onClose={onClose}>
      <div className="flex flex-wrap gap-2">
        <Button look="primary" busy={leave.isPending} onClick={() => leave.mutate(false)}>
          Sign out
        </Button>
        <Button busy={leave.isPending} onClick={() => leave.mutate(true)}>
          Sign out everywhere
        </Button>
      </div>
      {leave.error && <ProblemPanel error={leave.error} />}
      <form onSubmit={submit} className="mt-5 space-y-3 border-t border-line pt-4">
        <h3 className="font-semibold">Change the password</h3>
        <Field label="Current password">
          <input className={inputLook} type="password" autoComplete="current-password" required value={current} onChange={(event) => setCurrent(event.target.value)} />
        </Field>
        <Field label="New password" hint="At least 12 characters. Your other sessions end.">
          <input className={inputLook} type="password" autoComplete="new-password" minLength={12} required value={next} onChange={(event) => setNext(event.target.value)} />
        </Field>
        {change.error && <ProblemPanel error={change.error} />}
        {change.isSuccess && <p role="status">The password is changed.</p>}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Close</Button>
          <Button type="submit" busy={change.isPending}>
            Change it
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
