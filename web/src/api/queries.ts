/** Each thing that pages ask the server for, with its key: one place, so that what is live can be refreshed by its name. */
import { infiniteQueryOptions, QueryClient, queryOptions } from "@tanstack/react-query";
import { api, ApiError, data } from "./client";
import type { Operation, Status } from "./documents";
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
  queryFn: () => data(api.GET("/api/v1/overview")),
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
/** Page by page, and not again: an event would ask for every page anew. What is new or has changed comes with `recentRuns`. */
export const allRuns = (filter: RunFilter) =>
  infiniteQueryOptions({
    queryKey: ["all-runs", filter],
    staleTime: Infinity,
    gcTime: 0,
    refetchInterval: false,
    refetchOnReconnect: false,
    queryFn: ({ pageParam }) => data(api.GET("/api/v1/runs", { params: { query: { ...filter, limit: 500, ...(pageParam ? { cursor: pageParam } : {}) } } })),
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
  });
export const run = (id: string) =>
  queryOptions({
    queryKey: ["run", id],
    queryFn: () => data(api.GET("/api/v1/runs/{run}", { params: { path: { run: id } } })),
  });

export const approvals = (all: boolean) =>
  queryOptions({
    queryKey: ["approvals", all],
    queryFn: () => data(api.GET("/api/v1/approvals", { params: { query: { all } } })).then((answer) => answer.approvals),
  });
export const approval = (id: string) =>
  queryOptions({
    queryKey: ["approval", id],
    queryFn: () => data(api.GET("/api/v1/approvals/{run}", { params: { path: { run: id } } })),
  });
export const audit = infiniteQueryOptions({
  queryKey: ["audit"],
  queryFn: ({ pageParam }) => data(api.GET("/api/v1/audit", { params: { query: { limit: 200, ...(pageParam ? { before: pageParam } : {}) } } })),
  initialPageParam: 0,
  getNextPageParam: (page) => (page.next === null ? undefined : Number(page.next)),
});
export interface DeliveryFilter {
  channel?: string;
  open?: boolean;
}
export const deliveries = (filter: DeliveryFilter) =>
  queryOptions({
    queryKey: ["deliveries", filter],
    queryFn: () => data(api.GET("/api/v1/notifications", { params: { query: { ...filter, limit: 200 } } })).then((answer) => answer.deliveries),
    refetchInterval: 10_000, // no event tells of them
  });
export const channels = queryOptions({ queryKey: ["channels"], queryFn: () => data(api.GET("/api/v1/notifications/channels")).then((answer) => answer.channels), staleTime: 30_000 });

/** Asking makes the server look at production at most once an hour; while it does, it is asked again soon. */
export const tonight = queryOptions({
  queryKey: ["tonight"],
  queryFn: () => data(api.GET("/api/v1/tonight")).then((answer) => answer.plans),
  refetchInterval: (query) => (query.state.data?.some((plan) => plan.making) ? 2_000 : 60_000),
});
export const staying = queryOptions({ queryKey: ["staying"], queryFn: () => data(api.GET("/api/v1/staying")).then((answer) => answer.staying), refetchInterval: 60_000 });

/** What a run moved, by name. */
export const runItems = (id: string, filter: { task?: string; match?: string }) =>
  infiniteQueryOptions({
    queryKey: ["run", id, "items", filter],
    queryFn: ({ pageParam }) => data(api.GET("/api/v1/runs/{run}/items", { params: { path: { run: id }, query: { ...filter, ...(pageParam ? { from: pageParam } : {}) } } })),
    initialPageParam: 0,
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: false,
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
