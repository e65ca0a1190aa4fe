import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { jobs, recentRuns } from "../api/queries";
import { inputLook } from "../parts/Button";
import { Dialog } from "../parts/Dialog";
import { wordsOf } from "../parts/Status";
import { places } from "./places";

interface Target {
  name: string;
  what: string;
  href: string;
}

/** Those whose name has all the letters typed, in their order; beginnings first. Pure. */
export function matching(targets: Target[], typed: string): Target[] {
  const wanted = typed.toLowerCase().trim();
  if (wanted === "") return targets.slice(0, 12);
  const rank = (name: string) => {
    const at = name.toLowerCase().indexOf(wanted);
    if (at === 0) return 0;
    if (at > 0) return 1;
    let from = -1;
    for (const letter of wanted) {
      from = name.toLowerCase().indexOf(letter, from + 1);
      if (from === -1) return -1;
    }
    return 2;
  };
  return targets
    .map((target) => ({ target, rank: rank(target.name) }))
    .filter(({ rank }) => rank >= 0)
    .sort((a, b) => a.rank - b.rank)
    .map(({ target }) => target)
    .slice(0, 12);
}

/** Go anywhere, by name. */
export function Palette({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const known = useQuery(jobs).data ?? [];
  const recent = useQuery(recentRuns({ limit: 20 })).data ?? [];
  const targets: Target[] = [
    ...places.map((place) => ({ name: place.name, what: "page", href: place.to })),
    ...known.map((job) => ({ name: job.job, what: "job", href: `/jobs/${job.job}` })),
    ...recent.map((run) => ({ name: run.run, what: `${run.job}, ${wordsOf(run.status)}`, href: `/runs/${run.run}` })),
  ];
  const found = matching(targets, typed);
  const chosen = Math.min(at, found.length - 1);
  const go = (target: Target | undefined) => {
    if (!target) return;
    onClose();
    void navigate({ href: target.href });
  };
  return (
    <Dialog title="Go to" onClose={onClose}>
      <input
        className={inputLook}
        role="combobox"
        aria-expanded="true"
        aria-controls="palette"
        aria-activedescendant={found[chosen] && `palette-${chosen}`}
        aria-label="A page, a job or a run"
        placeholder="A page, a job or a run"
        autoFocus
        value={typed}
        onChange={(event) => {
          setTyped(event.target.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") setAt(Math.min(found.length - 1, chosen + 1));
          else if (event.key === "ArrowUp") setAt(Math.max(0, chosen - 1));
          else if (event.key === "Enter") go(found[chosen]);
          else return;
          event.preventDefault();
        }}
      />
      <ul id="palette" role="listbox" aria-label="Found" className="mt-2 max-h-80 overflow-y-auto">
        {found.map((target, index) => (
          <li
            key={target.href}
            id={`palette-${index}`}
            role="option"
            aria-selected={index === chosen}
            onClick={() => go(target)}
            onMouseMove={() => setAt(index)}
            className={`flex cursor-pointer justify-between gap-4 rounded-lg px-3 py-2 ${index === chosen ? "bg-accent-soft" : ""}`}
          >
            <span className="truncate">{target.name}</span>
            <span className="whitespace-nowrap text-sm text-muted">{target.what}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="mt-3 text-muted">Nothing is called that.</p>}
    </Dialog>
  );
}
