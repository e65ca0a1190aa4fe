/** Keys that work on every page. Those with a modifier, and those typed into a field, are the browser's. */
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { places } from "./places";

const isField = (target: EventTarget | null) => target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));

/** What `j`, `k` and Enter move through: rows of the page's main list carry this attribute on their link. */
const rows = () => [...document.querySelectorAll<HTMLElement>("main [data-row]")].filter((row) => row.offsetParent !== null);

function move(by: number) {
  const all = rows();
  if (all.length === 0) return;
  const at = all.findIndex((row) => row === document.activeElement);
  const next = all[at === -1 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

export const help: { keys: string; does: string }[] = [
  { keys: "?", does: "these keys" },
  { keys: "/", does: "search on this page" },
  { keys: "Ctrl K", does: "go anywhere, by name" },
  { keys: "j  k", does: "next and previous row" },
  { keys: "Enter", does: "open the row" },
  ...places.map((place) => ({ keys: `g ${place.key}`, does: `go to ${place.name}` })),
  { keys: "t", does: "light, dark, system" },
  { keys: "z", does: "times in UTC or local" },
];

export function useKeys(open: { help: () => void; palette: () => void; theme: () => void; zone: () => void }) {
  const navigate = useNavigate();
  const going = useRef(0);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        open.palette();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isField(event.target) || document.querySelector("dialog[open]")) return;
      if (Date.now() - going.current < 1_500) {
        going.current = 0;
        const place = places.find((each) => each.key === event.key);
        if (place) {
          event.preventDefault();
          void navigate({ to: place.to });
          return;
        }
      }
      switch (event.key) {
        case "g":
          going.current = Date.now();
          break;
        case "?":
          open.help();
          break;
        case "/": {
          const search = document.querySelector<HTMLElement>("main input[type=search]");
          if (!search) return;
          search.focus();
          break;
        }
        case "j":
          move(1);
          break;
        case "k":
          move(-1);
          break;
        case "t":
          open.theme();
          break;
        case "z":
          open.zone();
          break;
        default:
          return;
      }
      event.preventDefault();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  });
}
