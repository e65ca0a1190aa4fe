import type { ReactNode } from "react";
import { ApiError } from "../api/client";
import type { Failure } from "../api/documents";

/** What went wrong, in the server's words, and what to do. */
export function ProblemPanel({ error, again }: { error: unknown; again?: () => void }) {
  const problem = error instanceof ApiError ? error.problem : { detail: error instanceof Error ? error.message : String(error), hint: "Reload the page; if it stays, please report it.", code: undefined };
  return (
    <div role="alert" className="rounded-lg border border-bad/40 bg-bad-soft px-4 py-3 text-bad">
      <p className="font-medium break-words">{sentence(problem.detail)}</p>
      {problem.hint && <Hint text={problem.hint} />}
      {again && (
        <button onClick={again} className="mt-2 font-medium underline underline-offset-3">
          Try again
        </button>
      )}
    </div>
  );
}

/** The same for what became of a task. */
export function FailurePanel({ failure }: { failure: Failure }) {
  return (
    <div className="rounded-lg bg-bad-soft px-3 py-2 text-bad">
      <p className="break-words">{sentence(failure.message)}</p>
      {failure.hint && <Hint text={failure.hint} />}
    </div>
  );
}

/** Commands in a hint stand between backticks. */
export function Hint({ text }: { text: string }) {
  return (
    <p className="mt-1 text-ink break-words">
      {text.split("`").map((part, index) =>
        index % 2 === 1 ? (
          <code key={index} className="rounded bg-raised px-1 py-0.5 font-mono text-[0.8125rem]">
            {part}
          </code>
        ) : (
          part
        ),
      )}
    </p>
  );
}

/** Messages begin in lower case, for the command line's `steward: …`. */
/** With a capital and a full stop; a name ("expire-objects", "app.db") that stands first stays as it is written. */
export const sentence = (text: string) => (/^[a-z]+[-_./\d]\S/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1)) + (/[.!?]$/.test(text) ? "" : ".");

/** Nothing is here, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="card border-dashed px-6 py-10 text-center">
      <p className="font-medium">{title}</p>
      {children && <div className="mx-auto mt-1 max-w-xl text-muted">{children}</div>}
    </div>
  );
}

export function Loading({ rows = 3 }: { rows?: number }) {
  return (
    <div role="status" aria-label="Loading" className="space-y-2">
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} className="h-10 animate-pulse rounded-lg bg-raised" />
      ))}
    </div>
  );
}

/** The four states of what is asked for: loading, failed, empty, there. Data that is there stays while it is asked for again. */
export function Loaded<T>({ query, rows, children }: { query: { data: T | undefined; error: unknown; refetch: () => unknown }; rows?: number; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <ProblemPanel error={query.error} again={() => void query.refetch()} />;
  return <Loading rows={rows ?? 3} />;
}
