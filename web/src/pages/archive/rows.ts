/** What is shown of an archived row. All pure. */
import type { ArchivedRow } from "../../api/documents";

/** A value as a person reads it: what JSON cannot hold stands in the archive as {"blob": …} and the like. */
export function valueOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (typeof value === "object" && !Array.isArray(value)) {
    const [name, held] = Object.entries(value)[0] ?? [];
    if (name === "blob" && typeof held === "string") return `${Math.floor((held.length * 3) / 4)} bytes`;
    if (name === "bytes" && typeof held === "string") return atob(held);
    if (name === "real" && typeof held === "string") return held;
  }
  return JSON.stringify(value);
}

/** A line for a list: the first columns that say something, the key's own left out. */
export function gistOf(row: ArchivedRow, most = 4): [string, string][] {
  return Object.entries(row.row)
    .map(([name, value]): [string, string] => [name, valueOf(value)])
    .filter(([, value]) => value !== "" && value !== row.key)
    .slice(0, most)
    .map(([name, value]) => [name, value.length > 60 ? `${value.slice(0, 59)}…` : value]);
}

/** As large as the server hands over a file for a look. */
export const mostShown = 8 * 1024 * 1024;

const pictures = /\.(png|jpe?g|gif|webp|avif)$/i;
/** Whether the file may be a picture that a browser shows: by its name, since its bytes are not here yet. */
export const isPicture = (row: ArchivedRow) => row.file !== null && row.file.bytes <= mostShown && pictures.test(row.file.source);

/** Where its bytes are had; the hash makes the address good for ever. */
export function fileAddress(row: ArchivedRow, base: URL): string {
  const address = new URL("api/v1/archive/file", base);
  if (row.file) address.search = new URLSearchParams({ archive: row.archive, copy: row.file.copy, sha256: row.file.sha256 }).toString();
  return address.href;
}
