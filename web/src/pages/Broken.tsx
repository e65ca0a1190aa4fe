import { Link } from "@tanstack/react-router";
import { ApiError } from "../api/client";
import { ProblemPanel } from "../parts/Problem";

/** A page that could not be shown at all. */
export function Broken({ error }: { error: unknown }) {
  const isDown = error instanceof ApiError && error.problem.status === 0;
  return (
    <main className="mx-auto max-w-xl px-4 py-16">
      <h1 className="mb-4 text-xl font-semibold">{isDown ? "steward does not answer" : "This page could not be shown"}</h1>
      <ProblemPanel error={error} again={() => window.location.reload()} />
      <p className="mt-4 text-muted">
        On the server, <code className="font-mono">steward status</code> and <code className="font-mono">steward healthcheck</code> tell the same without this page. No job depends on it.
      </p>
    </main>
  );
}

export function NotFound() {
  return (
    <main className="mx-auto max-w-xl px-4 py-16">
      <h1 className="mb-2 text-xl font-semibold">There is no such page</h1>
      <p className="text-muted">
        The address may be mistyped, or what it named was removed.{" "}
        <Link to="/" className="link">
          Go to the overview
        </Link>
        .
      </p>
    </main>
  );
}
