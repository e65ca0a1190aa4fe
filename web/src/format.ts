/** How numbers, sizes and times are written. All pure: `now` and the zone are handed in. */

export type Zone = "utc" | "local";

const grouped = new Intl.NumberFormat("en");
export const count = (n: number) => grouped.format(n);
export const plural = (n: number, one: string, many = one + "s") => `${count(n)} ${n === 1 ? one : many}`;

/** 1536 is "1.5 KiB": as the command line writes it. */
export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit += 1;
  }
  return `${unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1).replace(/\.0$/, "")} ${units[unit]}`;
}

/** The two largest units of a span: "3 d 4 h", "2 min 5 s", "85 ms". */
export function span(milliseconds: number): string {
  const ms = Math.abs(milliseconds);
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const parts: [number, string][] = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "min"],
    [1_000, "s"],
  ];
  const out: string[] = [];
  let rest = Math.floor(ms / 1000) * 1000;
  for (const [size, unit] of parts) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0) out.push(`${n} ${unit}`);
    else if (out.length > 0) break;
    if (out.length === 2) break;
  }
  return out.join(" ");
}

/** "3 min ago", "in 4 h", "just now": one unit, since it is for a glance; days from the third on, because "1 d" would stand for nearly two. */
export function ago(instant: string, now: number): string {
  const distance = now - Date.parse(instant);
  if (Math.abs(distance) < 5_000) return "just now";
  const hours = Math.abs(distance) / 3_600_000;
  const text = hours >= 24 && hours < 72 ? `${Math.floor(hours)} h` : span(distance).split(" ").slice(0, 2).join(" ");
  return distance > 0 ? `${text} ago` : `in ${text}`;
}

/** "2026-11-25 18:33:03 UTC". */
export function exact(instant: string, zone: Zone, seconds = true): string {
  const at = new Date(instant);
  if (Number.isNaN(at.getTime())) return instant;
  if (zone === "utc") return `${at.toISOString().slice(0, seconds ? 19 : 16).replace("T", " ")} UTC`;
  const pad = (n: number) => String(n).padStart(2, "0");
  const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}${seconds ? ":" + pad(at.getSeconds()) : ""}`;
  const offset = -at.getTimezoneOffset();
  const sign = offset < 0 ? "-" : "+";
  return `${day} ${time} ${sign}${pad(Math.floor(Math.abs(offset) / 60))}:${pad(Math.abs(offset) % 60)}`;
}

/** "Wed 25 Nov", in the zone. */
export function day(instant: string, zone: Zone): string {
  return new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", ...(zone === "utc" ? { timeZone: "UTC" } : {}) }).format(new Date(instant));
}

/** "03:00", in the zone. */
export function clock(instant: string, zone: Zone): string {
  return exact(instant, zone).slice(11, 16);
}

/** "12,408 rows and 1.2 GiB"; without bytes where they are not known. */
export function amount(of: { items: number; bytes: number | null }, one = "item"): string {
  return of.bytes === null || of.items === 0 ? plural(of.items, one) : `${plural(of.items, one)}, ${bytes(of.bytes)}`;
}

/** "16 November 2027" as a person would type it into a date field, at its end; null where it is no date. */
export function endOfDay(date: string): string | null {
  return /^\d{4}-\d{2}-\d{2}$/.test(date) && !Number.isNaN(Date.parse(date)) ? `${date}T23:59:59Z` : null;
}

/** Bytes only where they are known of any. */
export function sumOf(amounts: { items: number; bytes: number | null }[]): { items: number; bytes: number | null } {
  let items = 0;
  let size: number | null = null;
  for (const each of amounts) {
    items += each.items;
    if (each.bytes !== null) size = (size ?? 0) + each.bytes;
  }
  return { items, bytes: size };
}
