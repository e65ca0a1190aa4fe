/** The log of a run, as it is read and filtered. Pure. */
import type { LogLine } from "../../api/documents";

/** A line of it; one that is no JSON (the process was killed as it wrote) stands as it is. */
export function parseLine(text: string): LogLine {
  try {
    const found = JSON.parse(text) as Partial<LogLine>;
    return { ...found, at: found.at ?? "", level: found.level ?? "info", text: found.text ?? text };
  } catch {
    return { at: "", level: "warning", text };
  }
}

export interface LogFilter {
  q: string;
  /** This level and those above it. */
  level: string;
  task: string;
}
const order = ["info", "warning", "error"];

/** All of a line, for searching; made once, since each key that is typed asks every line of a long log. */
const wholes = new WeakMap<LogLine, string>();
function wholeOf(line: LogLine): string {
  let whole = wholes.get(line);
  if (whole === undefined) wholes.set(line, (whole = JSON.stringify(line).toLowerCase()));
  return whole;
}

export function matches(line: LogLine, filter: LogFilter): boolean {
  if (filter.level !== "" && order.indexOf(line.level) < order.indexOf(filter.level)) return false;
  if (filter.task !== "" && line.task !== filter.task) return false;
  return filter.q === "" || wholeOf(line).includes(filter.q.toLowerCase());
}

/** What else stands in it: "done 3,841 items", "planned 13 items, 89.2 KiB". */
export function details(line: LogLine, amount: (of: { items: number; bytes: number | null }) => string): string {
  const out: string[] = [];
  for (const [name, value] of Object.entries(line)) {
    if (["at", "level", "task", "text"].includes(name) || value === null) continue;
    if (name === "skipped" && Array.isArray(value)) {
      const skips = value as { reason: string; items: number }[];
      if (skips.length > 0) out.push(`stay: ${skips.map((skip) => `${skip.items} ${skip.reason}`).join(", ")}`);
    } else if (typeof value === "object" && "items" in value) {
      out.push(`${name} ${amount(value as { items: number; bytes: number | null })}`);
    } else if (name !== "status") {
      out.push(`${name} ${typeof value === "string" ? value : JSON.stringify(value)}`);
    }
  }
  return out.join("; ");
}
