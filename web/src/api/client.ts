import createClient from "openapi-fetch";
import type { paths } from "./schema.gen";

/** Where the server stands, with a slash at its end: pages may live below any path. */
export const base = new URL(".", document.baseURI);

/** RFC 9457, with the kind, code and hint of the command line. */
export interface Problem {
  status: number;
  kind: string;
  detail: string;
  code?: string;
  hint?: string;
}

/** What went wrong, for the person who has to act on it. */
export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
  get isSignedOut() {
    return this.problem.status === 401;
  }
}

export const unreachable: Problem = {
  status: 0,
  kind: "unavailable",
  detail: "the server does not answer",
  hint: "Is `steward serve` running, and the network up? This page goes on by itself when it answers again.",
};

export const api = createClient<paths>({ baseUrl: base.href.replace(/\/$/, "") });

/** The data of a call, or an ApiError that carries the server's own words. No page calls fetch itself. */
export async function data<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const answer = await call.catch(() => {
    throw new ApiError(unreachable);
  });
  if (!answer.response.ok) throw new ApiError(problemOf(answer.error, answer.response.status));
  return answer.data as T; // the schema of the answer, which the server has checked
}

/** A proxy in between answers in words of its own: then the status has to do. */
export function problemOf(error: unknown, status: number): Problem {
  if (typeof error === "object" && error !== null && "detail" in error && "kind" in error)
    return { ...(error as Problem), status };
  if (status === 502 || status === 503 || status === 504) return { ...unreachable, status };
  return { status, kind: "unavailable", detail: `the answer was HTTP ${status}`, hint: "A proxy in between may have given it." };
}
