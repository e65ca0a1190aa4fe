import { Link } from "@tanstack/react-router";
import type { Overview } from "../../api/documents";
import { span } from "../../format";
import { Ago, At } from "../../parts/Time";

/** In one line: to which moment one could go back, and whether that was tried. Nothing where no backup is configured. */
export function Recovery({ backups }: { backups: Overview["backups"] }) {
  if (backups.length === 0) return null;
  return (
    <ul className="mb-4 space-y-2">
      {backups.map((backup) => {
        const isWell = backup.newest !== null && !backup.stale;
        return (
          <li key={backup.job + backup.task} className={`card flex flex-wrap items-baseline gap-x-3 gap-y-1 px-4 py-3 ${isWell ? "border-good/40" : "border-bad/50"}`}>
            <span aria-hidden="true" className={isWell ? "text-good" : "text-bad"}>
              {isWell ? "✓" : "✕"}
            </span>
            <span className="font-medium">
              {backup.newest === null ? (
                "There is no backup yet"
              ) : (
                <>
                  Restorable to <At at={backup.newest} seconds={false} />
                </>
              )}
            </span>
            <span className="text-muted">
              {backup.newest !== null && (
                <>
                  <Ago at={backup.newest} />
                  {backup.stale && ", which is too old"};{" "}
                </>
              )}
              {backup.proved === null ? (
                "not proved yet"
              ) : (
                <>
                  proved <Ago at={backup.proved} />
                  {backup.proof_seconds !== null && `, which took ${span(backup.proof_seconds * 1000)}`}
                </>
              )}
              {backups.length > 1 && ` (${backup.task})`}
            </span>
            <Link to="/backups" className="link ml-auto text-sm">
              Backups
            </Link>
          </li>
        );
      })}
    </ul>
  );
}
