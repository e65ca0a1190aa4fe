/** Each thing that pages ask the server for, with its key: one place, so that what is live can be refreshed by its name. */
import { infiniteQueryOptions, QueryClient, queryOptions } from "@tanstack/react-query";
import { api, ApiError, data } from "./client";
import type { ApprovalDetail, Operation, Overview, RunDetail, Status } from "./documents";
import { isLive } from "./live";

/** While events come, they say when to ask again. Without them, pages poll. */
const poll = (every: number) => () => (isLive() ? false : every);

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      refetchInterval: poll(10_000),
      retry: (count, error) => count < 2 && error instanceof ApiError && (error.problem.status === 0 || error.problem.status >= 500),
    },
  },
});

export const me = queryOptions({ queryKey: ["me"], queryFn: () => data(api.GET("/api/v1/me")), staleTime: 60_000, refetchInterval: false });
export const about = queryOptions({ queryKey: ["about"], queryFn: () => data(api.GET("/api/v1/about")), staleTime: 60_000 });
export const overview = queryOptions({
  queryKey: ["overview"],
  queryFn: () => data(api.GET("/api/v1/overview")) as Promise<Overview>,
  refetchInterval: () => (isLive() ? 60_000 : 15_000),
});
export const jobs = queryOptions({ queryKey: ["jobs"], queryFn: () => data(api.GET("/api/v1/jobs")).then((answer) => answer.jobs) });
export const schedules = (count: number) =>
  queryOptions({
    queryKey: ["schedules", count],
    queryFn: () => data(api.GET("/api/v1/schedules", { params: { query: { count } } })).then((answer) => answer.schedules),
    refetchInterval: 60_000,
  });
export const pauses = queryOptions({ queryKey: ["pauses"], queryFn: () => data(api.GET("/api/v1/pauses")).then((answer) => answer.pauses) });
export const freezes = queryOptions({ queryKey: ["freezes"], queryFn: () => data(api.GET("/api/v1/freezes")).then((answer) => answer.freezes) });
export const holds = (all: boolean) =>
  queryOptions({ queryKey: ["holds", all], queryFn: () => data(api.GET("/api/v1/holds", { params: { query: { all } } })).then((answer) => answer.holds) });
export const ticks = (filter: { job?: string; fired?: boolean; limit?: number }) =>
  queryOptions({ queryKey: ["ticks", filter], queryFn: () => data(api.GET("/api/v1/ticks", { params: { query: filter } })).then((answer) => answer.ticks) });

export interface RunFilter {
  job?: string;
  status?: Status;
}
export const recentRuns = (filter: RunFilter & { limit: number }) =>
  queryOptions({ queryKey: ["runs", "recent", filter], queryFn: () => data(api.GET("/api/v1/runs", { params: { query: filter } })).then((answer) => answer.runs) });
export const allRuns = (filter: RunFilter) =>
  infiniteQueryOptions({
    queryKey: ["runs", "all", filter],
    queryFn: ({ pageParam }) => data(api.GET("/api/v1/runs", { params: { query: { ...filter, limit: 200, ...(pageParam ? { cursor: pageParam } : {}) } } })),
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
  });
export const run = (id: string) =>
  queryOptions({
    queryKey: ["run", id],
    queryFn: () => data(api.GET("/api/v1/runs/{run}", { params: { path: { run: id } } })) as Promise<RunDetail>,
  });

export const approvals = (all: boolean) =>
  queryOptions({
    queryKey: ["approvals", all],
    queryFn: () => data(api.GET("/api/v1/approvals", { params: { query: { all } } })).then((answer) => answer.approvals),
  });
export const approval = (id: string) =>
  queryOptions({
    queryKey: ["approval", id],
    queryFn: () => data(api.GET("/api/v1/approvals/{run}", { params: { path: { run: id } } })) as Promise<ApprovalDetail>,
  });
export const audit = infiniteQueryOptions({
  queryKey: ["audit"],
  queryFn: ({ pageParam }) => data(api.GET("/api/v1/audit", { params: { query: { limit: 200, ...(pageParam ? { before: pageParam } : {}) } } })),
  initialPageParam: 0,
  getNextPageParam: (page) => (page.next === null ? undefined : Number(page.next)),
});
export const users = queryOptions({ queryKey: ["users"], queryFn: () => data(api.GET("/api/v1/users")).then((answer) => answer.users) });
export const tokens = queryOptions({ queryKey: ["tokens"], queryFn: () => data(api.GET("/api/v1/tokens")).then((answer) => answer.tokens) });
export const configuration = queryOptions({ queryKey: ["configuration"], queryFn: () => data(api.GET("/api/v1/configuration")), staleTime: 30_000 });

/** An operation is asked after until it has ended. */
export const operation = (id: string) =>
  queryOptions({
    queryKey: ["operation", id],
    queryFn: () => data(api.GET("/api/v1/operations/{operation}", { params: { path: { operation: id } } })),
    staleTime: Infinity,
    refetchInterval: (query) => (hasEnded(query.state.data) ? false : 400),
  });
export const hasEnded = (found?: Operation) => found?.state === "succeeded" || found?.state === "failed";
