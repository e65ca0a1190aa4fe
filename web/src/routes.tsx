/** The site map. A page is fetched when it is first gone to; the state of each (filters, tabs) is in its address. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { ApiError, base } from "./api/client";
import type { Status } from "./api/documents";
import { me, queryClient } from "./api/queries";
import { Broken, NotFound } from "./pages/Broken";
import { Shell } from "./shell/Shell";

const root = createRootRoute({ notFoundComponent: NotFound, errorComponent: ({ error }) => <Broken error={error} /> });

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/signin",
  validateSearch: (search: Record<string, unknown>): { then?: string } => (typeof search["then"] === "string" && search["then"].startsWith("/") ? { then: search["then"] } : {}),
  component: lazyRouteComponent(() => import("./pages/SignIn"), "SignIn"),
});
const setUp = createRoute({ getParentRoute: () => root, path: "/setup", component: lazyRouteComponent(() => import("./pages/SignIn"), "SetUp") });

/** Everything but these two wants to know who is there. */
const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  component: Shell,
  beforeLoad: async ({ location }) => {
    try {
      await queryClient.ensureQueryData(me);
    } catch (error) {
      if (error instanceof ApiError && error.isSignedOut) throw redirect({ to: "/signin", search: location.href === "/" ? {} : { then: location.href } });
      throw error;
    }
  },
});

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
/** Only what is there, so that an address says no more than it has to. */
const given = <T extends Record<string, unknown>>(found: T) => Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: NonNullable<T[K]> };

const page = <P extends string>(path: P, load: () => Promise<{ Page: React.ComponentType }>) => createRoute({ getParentRoute: () => inside, path, component: lazyRouteComponent(load, "Page") });

const overview = page("/", () => import("./pages/Overview"));
const jobs = page("/jobs", () => import("./pages/Jobs"));
export const job = createRoute({
  getParentRoute: () => inside,
  path: "/jobs/$job",
  validateSearch: (search: Record<string, unknown>) => given({ tab: text(search["tab"]) as "history" | "ticks" | "plan" | undefined }),
  component: lazyRouteComponent(() => import("./pages/Job"), "Page"),
});
export const runs = createRoute({
  getParentRoute: () => inside,
  path: "/runs",
  validateSearch: (search: Record<string, unknown>) => given({ job: text(search["job"]), status: text(search["status"]) as Status | undefined }),
  component: lazyRouteComponent(() => import("./pages/Runs"), "Page"),
});
export const run = createRoute({
  getParentRoute: () => inside,
  path: "/runs/$run",
  validateSearch: (search: Record<string, unknown>) => given({ q: text(search["q"]), level: text(search["level"]), task: text(search["task"]), items: text(search["items"]), name: text(search["name"]) }),
  component: lazyRouteComponent(() => import("./pages/Run"), "Page"),
});
const approvals = createRoute({
  getParentRoute: () => inside,
  path: "/approvals",
  validateSearch: (search: Record<string, unknown>) => given({ all: search["all"] === true ? true : undefined }),
  component: lazyRouteComponent(() => import("./pages/Approvals"), "Page"),
});
export const approval = createRoute({ getParentRoute: () => inside, path: "/approvals/$run", component: lazyRouteComponent(() => import("./pages/Approval"), "Page") });
export const archive = createRoute({
  getParentRoute: () => inside,
  path: "/archive",
  validateSearch: (search: Record<string, unknown>) => given({ table: text(search["table"]), month: text(search["month"]), q: text(search["q"]) }),
  component: lazyRouteComponent(() => import("./pages/Archive"), "Page"),
});
export const archiveRows = createRoute({
  getParentRoute: () => inside,
  path: "/archive/rows",
  validateSearch: (search: Record<string, unknown>) => given({ run: text(search["run"]), table: text(search["table"]), q: text(search["q"]) }),
  component: lazyRouteComponent(() => import("./pages/ArchiveRows"), "Page"),
});
export const notifications = createRoute({
  getParentRoute: () => inside,
  path: "/notifications",
  validateSearch: (search: Record<string, unknown>) => given({ channel: text(search["channel"]), open: search["open"] === true ? true : undefined }),
  component: lazyRouteComponent(() => import("./pages/Notifications"), "Page"),
});
export const holds = createRoute({
  getParentRoute: () => inside,
  path: "/holds",
  validateSearch: (search: Record<string, unknown>) => given({ all: search["all"] === true ? true : undefined }),
  component: lazyRouteComponent(() => import("./pages/Holds"), "Page"),
});
const backups = page("/backups", () => import("./pages/Backups"));
const ledger = page("/ledger", () => import("./pages/Ledger"));
const people = page("/people", () => import("./pages/People"));
const configuration = page("/configuration", () => import("./pages/Configuration"));

export const router = createRouter({
  routeTree: root.addChildren([signIn, setUp, inside.addChildren([overview, jobs, job, runs, run, approvals, approval, archive, archiveRows, backups, holds, notifications, ledger, people, configuration])]),
  basepath: base.pathname,
  defaultPreload: "intent",
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
