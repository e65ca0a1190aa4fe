import { Link } from "@tanstack/react-router";
import { Hint, sentence } from "./Problem";

/** "cleanup 20261125T… failed: steward runs show 20261125T…": the message, and the command that tells more. Pure. */
export function parts(line: string): { message: string; command?: string; href?: string } {
  const at = line.lastIndexOf(": steward ");
  if (at === -1) return { message: line };
  const command = line.slice(at + 2);
  const href = hrefOf(command);
  return { message: line.slice(0, at), command, ...(href ? { href } : {}) };
}

/** The page that tells what a command tells. */
function hrefOf(command: string): string | undefined {
  const words = command.split(" ").slice(1);
  const [first, second, third] = words;
  if (first === "runs" && second === "show" && third) return `/runs/${third}`;
  if (first === "runs" && second === "--job" && third === "backup") return "/backups";
  if (first === "approvals" && second === "show" && third) return `/approvals/${third}`;
  if (first === "plan" && second) return `/jobs/${second.split("/")[0]}`;
  if (first === "freeze") return "/holds";
  if (first === "schedule" && second) return `/jobs/${second}`;
  return undefined;
}

export function AttentionList({ lines }: { lines: string[] }) {
  return (
    <ul className="card divide-y divide-line border-warn/50">
      {lines.map((line) => {
        const { message, command, href } = parts(line);
        return (
          <li key={line} className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 px-4 py-3">
            <span className="flex min-w-0 gap-2">
              <span aria-hidden="true" className="font-bold text-warn">
                !
              </span>
              <span className="break-words">{sentence(message)}</span>
            </span>
            {href ? (
              <Link to={href} className="link font-medium whitespace-nowrap">
                Look at it
              </Link>
            ) : (
              command && <Hint text={`\`${command}\``} />
            )}
          </li>
        );
      })}
    </ul>
  );
}
