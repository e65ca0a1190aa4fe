import { useSyncExternalStore } from "react";
import { ago, clock, exact, span } from "../format";
import { zone } from "../preferences";

let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
/** The time, for pages that count: one timer for all of them, and none while nobody looks. */
export function useNow(): number {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      timer ??= setInterval(() => {
        now = Date.now();
        for (const each of listeners) each();
      }, 1_000);
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
    () => now,
  );
}

/** "3 min ago", with the exact instant on hover and for screen readers' users who ask for it. */
export function Ago({ at }: { at: string }) {
  const current = useNow();
  const shown = zone.use();
  return (
    <time dateTime={at} title={exact(at, shown)} className="whitespace-nowrap">
      {ago(at, current)}
    </time>
  );
}

/** "2026-11-25 03:00:00 UTC", in the zone that the reader has chosen. */
export function At({ at, seconds = true }: { at: string; seconds?: boolean }) {
  const shown = zone.use();
  const current = useNow();
  return (
    <time dateTime={at} title={ago(at, current)} className="whitespace-nowrap tabular-nums">
      {exact(at, shown, seconds)}
    </time>
  );
}

/** "03:00". */
export function Clock({ at }: { at: string }) {
  const shown = zone.use();
  return (
    <time dateTime={at} title={exact(at, shown)} className="tabular-nums">
      {clock(at, shown)}
    </time>
  );
}

/** How long it took, or has taken up to now. */
export function Took({ from, to }: { from: string; to: string | null }) {
  const current = useNow();
  return <span className="whitespace-nowrap tabular-nums">{span((to === null ? current : Date.parse(to)) - Date.parse(from))}</span>;
}
