import { useMutation } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState, type FormEvent, type ReactNode } from "react";
import { api, data } from "../api/client";
import type { Me } from "../api/documents";
import { me, queryClient } from "../api/queries";
import { Button, Field, inputLook } from "../parts/Button";
import { ProblemPanel } from "../parts/Problem";
import { Mark } from "../shell/Mark";

const welcome = (known: Me) => {
  queryClient.clear();
  queryClient.setQueryData(me.queryKey, known);
};

function Door({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className="grid min-h-screen place-items-center px-4 py-10">
      <div className="w-full max-w-sm">
        <div className="mb-6 flex items-center justify-center gap-2 text-2xl font-semibold tracking-tight">
          <Mark /> steward
        </div>
        <div className="card p-6 shadow-sm">
          <h1 className="mb-4 text-lg font-semibold">{title}</h1>
          {children}
        </div>
      </div>
    </main>
  );
}

export function SignIn() {
  const navigate = useNavigate();
  const { then } = useSearch({ from: "/signin" });
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useMutation({
    mutationFn: () => data(api.POST("/api/v1/login", { body: { name, password } })),
    onSuccess: (known) => {
      welcome(known);
      void navigate({ href: then ?? "/", replace: true });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate();
  };
  return (
    <Door title="Sign in">
      <form onSubmit={submit} className="space-y-4">
        <Field label="Name">
          <input className={inputLook} name="name" autoComplete="username" autoFocus required value={name} onChange={(event) => setName(event.target.value)} />
        </Field>
        <Field label="Password">
          <input className={inputLook} name="password" type="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.target.value)} />
        </Field>
        {signIn.error && <ProblemPanel error={signIn.error} />}
        <Button type="submit" look="primary" className="w-full" busy={signIn.isPending}>
          Sign in
        </Button>
      </form>
      <p className="mt-4 text-[0.8125rem] text-muted">
        No account? An administrator adds one here, or on the server: <code className="font-mono">steward user add NAME</code>
      </p>
    </Door>
  );
}

/** The first administrator, by the link that `steward serve` prints once. The secret stands behind the #, so no server's log has it. */
export function SetUp() {
  const navigate = useNavigate();
  const [link] = useState(() => window.location.hash.slice(1));
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const differs = again !== "" && again !== password;
  const setUp = useMutation({
    mutationFn: () => data(api.POST("/api/v1/setup", { body: { link, name, password } })),
    onSuccess: (known) => {
      welcome(known);
      void navigate({ to: "/", replace: true });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (password === again) setUp.mutate();
  };
  if (link === "")
    return (
      <Door title="First administrator">
        <p className="text-muted">
          This page needs the whole link that <code className="font-mono">steward serve</code> printed when it started, with what stands behind its #. It is good for an hour; a restart prints a new one.
        </p>
      </Door>
    );
  return (
    <Door title="Make the first administrator">
      <form onSubmit={submit} className="space-y-4">
        <Field label="Name" hint="Letters, digits, and . _ - @">
          <input className={inputLook} name="name" autoComplete="username" autoFocus required maxLength={64} value={name} onChange={(event) => setName(event.target.value)} />
        </Field>
        <Field label="Password" hint="At least 12 characters">
          <input className={inputLook} name="password" type="password" autoComplete="new-password" required minLength={12} value={password} onChange={(event) => setPassword(event.target.value)} />
        </Field>
        <Field label="Password once more" hint={differs ? <span className="text-bad">The two differ.</span> : undefined}>
          <input className={inputLook} name="again" type="password" autoComplete="new-password" required aria-invalid={differs} value={again} onChange={(event) => setAgain(event.target.value)} />
        </Field>
        {setUp.error && <ProblemPanel error={setUp.error} />}
        <Button type="submit" look="primary" className="w-full" busy={setUp.isPending} disabled={differs}>
          Make it, and sign in
        </Button>
      </form>
    </Door>
  );
}
