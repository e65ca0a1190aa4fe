import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { about, approvals } from "../api/queries";
import { listen, useConnection } from "../api/live";
import { theme, zone } from "../preferences";
import { Dialog } from "../parts/Dialog";
import { useMe } from "../session";
import { Account } from "./Account";
import { help, useKeys } from "./keys";
import { Mark } from "./Mark";
import { Palette } from "./Palette";
import { places } from "./places";

/** What stands around every page: where one is, where one can go, and whether what is shown is current. */
export function Shell() {
  const queries = useQueryClient();
  useEffect(() => listen(queries), [queries]);
  const [shown, setShown] = useState<"help" | "palette" | "menu">();
  const close = () => setShown(undefined);
  const chosenTheme = theme.use();
  const chosenZone = zone.use();
  useKeys({
    help: () => setShown("help"),
    palette: () => setShown("palette"),
    theme: () => theme.set(chosenTheme === "system" ? "light" : chosenTheme === "light" ? "dark" : "system"),
    zone: () => zone.set(chosenZone === "utc" ? "local" : "utc"),
  });
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => {
    close();
    const place = [...places].reverse().find((each) => path === each.to || path.startsWith(each.to + "/")) ?? places[0];
    document.title = `${place.name} · steward`;
  }, [path]);
  return (
    <div className="min-h-screen lg:grid lg:grid-cols-[15rem_minmax(0,1fr)]">
      <a href="#content" className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-lg focus:bg-surface focus:px-4 focus:py-2">
        Skip to the content
      </a>
      <header className="sticky top-0 z-20 flex items-center gap-3 border-b border-line bg-surface px-4 py-2.5 lg:static lg:block lg:border-r lg:border-b-0 lg:px-0 lg:py-0">
        <div className="flex items-center gap-3 lg:sticky lg:top-0 lg:h-screen lg:flex-col lg:items-stretch lg:gap-0 lg:overflow-y-auto lg:p-4">
          <Link to="/" className="flex items-center gap-2 text-lg font-semibold tracking-tight lg:px-2">
            <Mark className="size-6" /> steward
          </Link>
          <Environment />
          <Navigation className="hidden lg:block" />
          <div className="hidden lg:mt-auto lg:block">
            <Live />
            <Account onHelp={() => setShown("help")} onPalette={() => setShown("palette")} />
          </div>
        </div>
        <button className="ml-auto rounded-lg border border-line px-3 py-1.5 text-sm font-medium lg:hidden" aria-expanded={shown === "menu"} onClick={() => setShown("menu")}>
          Menu
        </button>
      </header>
      <div className="min-w-0">
        <LostBanner />
        <main id="content" tabIndex={-1} className="mx-auto w-full max-w-[88rem] px-4 py-6 sm:px-6 lg:px-8 lg:py-8">
          <Outlet />
        </main>
      </div>
      {shown === "menu" && (
        <Dialog title="Menu" onClose={close}>
          <Navigation className="" />
          <div className="mt-4 border-t border-line pt-2">
            <Live />
            <Account onHelp={() => setShown("help")} onPalette={() => setShown("palette")} />
          </div>
        </Dialog>
      )}
      {shown === "palette" && <Palette onClose={close} />}
      {shown === "help" && (
        <Dialog title="Keys" onClose={close}>
          <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1.5">
            {help.map((each) => (
              <div key={each.keys} className="contents">
                <dt>
                  <kbd className="rounded border border-line bg-raised px-1.5 py-0.5 font-mono text-[0.8125rem]">{each.keys}</kbd>
                </dt>
                <dd>{each.does}</dd>
              </div>
            ))}
          </dl>
        </Dialog>
      )}
    </div>
  );
}

/** Where one is: production cannot be taken for anything else. */
function Environment() {
  const environment = useQuery(about).data?.environment;
  if (!environment) return null;
  const isProduction = /^prod/i.test(environment);
  return (
    <span
      className={`truncate rounded-md px-2 py-1 text-center text-xs font-bold tracking-wider uppercase lg:mt-4 ${isProduction ? "bg-bad text-[light-dark(#ffffff,#2b0805)]" : "bg-raised text-ink"}`}
      title="The environment: STEWARD_ENV"
    >
      {environment}
    </span>
  );
}

function Navigation({ className }: { className: string }) {
  const me = useMe();
  const waiting = useQuery(approvals(false)).data?.length ?? 0;
  const allowed = places.filter((place) => (place.to === "/people" ? me?.role === "administrator" : place.to === "/configuration" ? me?.role !== "viewer" : true));
  return (
    <nav aria-label="Pages" className={className}>
      <ul className="space-y-0.5 lg:mt-4">
        {allowed.map((place) => (
          <li key={place.to}>
            <Link
              to={place.to}
              activeOptions={{ exact: place.to === "/" }}
              className="flex items-center justify-between rounded-lg px-3 py-2 font-medium text-muted hover:bg-raised hover:text-ink aria-[current=page]:bg-accent-soft aria-[current=page]:text-ink"
            >
              {place.name}
              {place.to === "/approvals" && waiting > 0 && (
                <span className="rounded-full bg-warn-soft px-2 text-sm font-semibold text-warn" aria-label={`${waiting} waiting`}>
                  {waiting}
                </span>
              )}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Live() {
  const connection = useConnection();
  const words = { live: "Live", connecting: "Connecting…", lost: "Connection lost" }[connection];
  const colour = { live: "bg-good", connecting: "bg-warn", lost: "bg-bad" }[connection];
  return (
    <p role="status" className="flex items-center gap-2 px-3 py-2 text-[0.8125rem] text-muted">
      <span aria-hidden="true" className={`size-2 rounded-full ${colour}`} />
      {words}
    </p>
  );
}

function LostBanner() {
  const isLost = useConnection() === "lost";
  if (!isLost) return null;
  return (
    <div role="alert" className="sticky top-12 z-10 border-b border-warn/40 bg-warn-soft px-4 py-2 text-center text-warn lg:top-0">
      The connection to the server is lost: what you see may be old. It goes on by itself; jobs do not depend on this page.
    </div>
  );
}
