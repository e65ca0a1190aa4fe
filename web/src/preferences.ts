/** What one browser wants: the theme and the zone of times. Kept in that browser alone. */
import { useSyncExternalStore } from "react";
import type { Zone } from "./format";

export type Theme = "system" | "light" | "dark";

function stored<T extends string>(key: string, values: readonly T[], fallback: T, apply: (value: T) => void = () => {}) {
  const read = (): T => {
    const found = localStorage.getItem(key) as T | null;
    return found !== null && values.includes(found) ? found : fallback;
  };
  let value = read();
  const listeners = new Set<() => void>();
  return {
    set(next: T) {
      value = next;
      localStorage.setItem(key, next);
      apply(next);
      for (const listener of listeners) listener();
    },
    use: () =>
      useSyncExternalStore(
        (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
        () => value,
      ),
  };
}

export const theme = stored<Theme>("steward.theme", ["system", "light", "dark"], "system", (value) => {
  if (value === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = value;
});
export const zone = stored<Zone>("steward.zone", ["utc", "local"], "utc");
