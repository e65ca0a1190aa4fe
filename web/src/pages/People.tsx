import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api, data } from "../api/client";
import type { Role, Token, User } from "../api/documents";
import { tokens, users } from "../api/queries";
import { endOfDay } from "../format";
import { Button, Field, inputLook } from "../parts/Button";
import { Dialog } from "../parts/Dialog";
import { Heading, Section, Table } from "../parts/Page";
import { Empty, Loaded, ProblemPanel } from "../parts/Problem";
import { Badge } from "../parts/Status";
import { Ago, At } from "../parts/Time";
import { useMe } from "../session";

const roles: [Role, string][] = [
  ["viewer", "looks"],
  ["operator", "runs, pauses, holds"],
  ["approver", "approves, releases"],
  ["administrator", "everything"],
];

export function Page() {
  const [adding, setAdding] = useState<"user" | "token">();
  const close = () => setAdding(undefined);
  const people = useQuery(users);
  const keys = useQuery(tokens);
  return (
    <>
      <Heading title="Users and tokens" sub="Who may sign in, and what scripts may do. Each role may what those before it may." />
      <Section title="Users" aside={<Button onClick={() => setAdding("user")}>Add a user…</Button>}>
        <Loaded query={people}>
          {(list) => (
            <Table label="Users" head={["Name", "Role", "Signed in", "Since", ""]}>
              {list.map((user) => (
                <UserRow key={user.user} user={user} />
              ))}
            </Table>
          )}
        </Loaded>
      </Section>
      <Section title="Tokens" aside={<Button onClick={() => setAdding("token")}>Make a token…</Button>}>
        <Loaded query={keys}>
          {(list) =>
            list.length === 0 ? (
              <Empty title="There are no tokens">Scripts and other machines send one with their requests. It has a role of its own, an end, and is shown once.</Empty>
            ) : (
              <Table label="Tokens" head={["Name", "Role", "Last used", "Good until", ""]}>
                {list.map((token) => (
                  <TokenRow key={token.id} token={token} />
                ))}
              </Table>
            )
          }
        </Loaded>
      </Section>
      {adding === "user" && <AddUser onClose={close} />}
      {adding === "token" && <AddToken onClose={close} />}
    </>
  );
}

function RoleSelect({ value, onChange }: { value: Role; onChange: (role: Role) => void }) {
  return (
    <select className={inputLook} value={value} onChange={(event) => onChange(event.target.value as Role)}>
      {roles.map(([role, does]) => (
        <option key={role} value={role}>
          {role}: {does}
        </option>
      ))}
    </select>
  );
}

function UserRow({ user }: { user: User }) {
  const queries = useQueryClient();
  const me = useMe();
  const [open, setOpen] = useState(false);
  const [role, setRole] = useState(user.role);
  const path = { params: { path: { user: user.user } } };
  const settle = { onSettled: () => void queries.invalidateQueries({ queryKey: ["users"] }) };
  const change = useMutation({ mutationFn: (body: { role?: Role; disabled?: boolean }) => data(api.PATCH("/api/v1/users/{user}", { ...path, body })), onSuccess: () => setOpen(false), ...settle });
  const remove = useMutation({ mutationFn: () => data(api.DELETE("/api/v1/users/{user}", path)), onSuccess: () => setOpen(false), ...settle });
  return (
    <tr>
      <td className="font-medium">
        {user.user} {user.user === me?.user && <span className="text-muted">(you)</span>} {user.disabled && <Badge tone="bad">shut out</Badge>}
      </td>
      <td>{user.role}</td>
      <td>{user.signed_in ? <Ago at={user.signed_in} /> : <span className="text-muted">never</span>}</td>
      <td>
        <Ago at={user.made} />
      </td>
      <td className="text-right">
        <Button look="quiet" onClick={() => setOpen(true)} aria-label={`Change ${user.user}`}>
          Change…
        </Button>
        {open && (
          <Dialog title={user.user} onClose={() => setOpen(false)}>
            <div className="space-y-4 text-left">
              <Field label="Role">
                <RoleSelect value={role} onChange={setRole} />
              </Field>
              {(change.error ?? remove.error) && <ProblemPanel error={change.error ?? remove.error} />}
              <div className="flex flex-wrap justify-end gap-2">
                <Button look="danger" busy={remove.isPending} onClick={() => remove.mutate()}>
                  Remove {user.user}
                </Button>
                <Button busy={change.isPending} onClick={() => change.mutate({ disabled: !user.disabled })}>
                  {user.disabled ? "Let in again" : "Shut out"}
                </Button>
                <Button look="primary" disabled={role === user.role} busy={change.isPending} onClick={() => change.mutate({ role })}>
                  Make {role}
                </Button>
              </div>
            </div>
          </Dialog>
        )}
      </td>
    </tr>
  );
}

function AddUser({ onClose }: { onClose: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const add = useMutation({
    mutationFn: () => data(api.POST("/api/v1/users", { body: { name, password, role } })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["users"] });
      onClose();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  return (
    <Dialog title="Add a user" onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        <Field label="Name">
          <input className={inputLook} autoFocus required maxLength={64} autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />
        </Field>
        <Field label="Role">
          <RoleSelect value={role} onChange={setRole} />
        </Field>
        <Field label="First password" hint="At least 12 characters; they can change it themselves.">
          <input className={inputLook} type="password" autoComplete="new-password" required minLength={12} value={password} onChange={(event) => setPassword(event.target.value)} />
        </Field>
        {add.error && <ProblemPanel error={add.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Not now</Button>
          <Button type="submit" look="primary" busy={add.isPending}>
            Add
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function TokenRow({ token }: { token: Token }) {
  const queries = useQueryClient();
  const [asked, setAsked] = useState(false);
  const revoke = useMutation({ mutationFn: () => data(api.DELETE("/api/v1/tokens/{token}", { params: { path: { token: token.id } } })), onSettled: () => void queries.invalidateQueries({ queryKey: ["tokens"] }) });
  return (
    <tr className={token.revoked ? "text-muted" : ""}>
      <td className="font-medium">
        {token.name} <span className="block text-sm font-normal text-muted">by {token.made_by}{token.owner && `, for ${token.owner}`}</span>
      </td>
      <td>{token.role}</td>
      <td>{token.used ? <Ago at={token.used} /> : <span className="text-muted">never</span>}</td>
      <td>{token.revoked ? <Badge tone="plain">revoked</Badge> : token.expires ? <At at={token.expires} seconds={false} /> : "it is revoked"}</td>
      <td className="text-right">
        {!token.revoked &&
          (asked ? (
            <Button look="danger-solid" autoFocus busy={revoke.isPending} onClick={() => revoke.mutate()} onBlur={() => setAsked(false)}>
              Revoke it
            </Button>
          ) : (
            <Button look="quiet" onClick={() => setAsked(true)} aria-label={`Revoke ${token.name}`}>
              Revoke…
            </Button>
          ))}
        {revoke.error && <ProblemPanel error={revoke.error} />}
      </td>
    </tr>
  );
}

function AddToken({ onClose }: { onClose: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("operator");
  const [date, setDate] = useState(() => new Date(Date.now() + 90 * 86_400_000).toISOString().slice(0, 10));
  const add = useMutation({
    mutationFn: () => data(api.POST("/api/v1/tokens", { body: { name, role, expires: endOfDay(date) ?? date } })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["tokens"] }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  if (add.data)
    return (
      <Dialog title={`Token ${add.data.name}`} onClose={onClose}>
        <p>It is shown this once. Keep it where your scripts find it:</p>
        <p className="my-3 rounded-lg bg-raised p-3 font-mono text-sm break-all">{add.data.token}</p>
        <div className="flex justify-end gap-2">
          <Button onClick={() => void navigator.clipboard.writeText(add.data.token)}>Copy</Button>
          <Button look="primary" autoFocus onClick={onClose}>
            I have it
          </Button>
        </div>
      </Dialog>
    );
  return (
    <Dialog title="Make a token" onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        <Field label="What it is for">
          <input className={inputLook} autoFocus required maxLength={100} value={name} onChange={(event) => setName(event.target.value)} />
        </Field>
        <Field label="Role">
          <RoleSelect value={role} onChange={setRole} />
        </Field>
        <Field label="Good until (the end of that day, UTC)">
          <input className={inputLook} type="date" required value={date} onChange={(event) => setDate(event.target.value)} />
        </Field>
        {add.error && <ProblemPanel error={add.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Not now</Button>
          <Button type="submit" look="primary" busy={add.isPending}>
            Make it
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
