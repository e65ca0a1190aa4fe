// Packs what Vite has built into build-web/packed.S and packed.cc, which the program is linked with: each file as it is, gzipped and
// in brotli. Fails where the first load is larger than it may be. The same input gives the same output, byte for byte.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const out = fileURLToPath(new URL("../../build-web/", import.meta.url));
const dist = join(out, "dist");
const folder = join(out, "files");
const budget = 150_000; // bytes of gzipped JavaScript and CSS that a first visit loads

const types = { html: "text/html; charset=utf-8", js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", svg: "image/svg+xml", json: "application/json", png: "image/png", woff2: "font/woff2", txt: "text/plain; charset=utf-8" };

const walk = (at) => readdirSync(at).flatMap((name) => (statSync(join(at, name)).isDirectory() ? walk(join(at, name)) : [join(at, name)]));
const files = walk(dist)
  .map((path) => ({ path: relative(dist, path), plain: readFileSync(path) }))
  .sort((a, b) => (a.path < b.path ? -1 : 1));

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const assembly = ['  .section .rodata', '  .section .note.GNU-stack,"",@progbits', "  .section .rodata"];
const symbols = [];
const rows = [];
/** Puts bytes into the program; how the table names them. */
function bytes(name, content, original) {
  if (content !== original && content.length >= original.length) return "{}";
  writeFileSync(join(folder, name), content);
  assembly.push(`  .balign 16`, `steward_web_${name}:`, `  .incbin "${join(folder, name)}"`, `  .globl steward_web_${name}`);
  symbols.push(`extern const char steward_web_${name}[];`);
  return `{steward_web_${name}, ${content.length}}`;
}
for (const [index, file] of files.entries()) {
  const extension = file.path.split(".").pop();
  const type = types[extension];
  if (!type) throw new Error(`pack: no media type for ${file.path}`);
  const hash = createHash("sha256").update(file.plain).digest("hex").slice(0, 20);
  const gzip = gzipSync(file.plain, { level: 9 });
  file.gzip = gzip.length;
  const brotli = brotliCompressSync(file.plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: file.plain.length } });
  const isImmutable = file.path.startsWith("assets/");
  // The hash stands in the assembly, so that the build sees that a file has changed.
  assembly.push(`  # ${file.path} ${hash}`);
  rows.push(`    {${JSON.stringify(file.path)}, ${JSON.stringify(type)}, ${JSON.stringify(`"${hash}"`)}, ${isImmutable}, ${bytes(`f${index}`, file.plain, file.plain)}, ${bytes(`f${index}_gz`, gzip, file.plain)}, ${bytes(`f${index}_br`, brotli, file.plain)}},`);
}
const write = (name, text) => {
  const path = join(out, name);
  let before = "";
  try {
    before = readFileSync(path, "utf8");
  } catch {
    // the first time
  }
  if (before !== text) writeFileSync(path, text); // an unchanged file is not compiled again
};
write("packed.S", assembly.join("\n") + "\n");
write(
  "packed.cc",
  `// Made by web/scripts/pack.mjs.
#include "app/dashboard/dashboard.h"

extern "C" {
${symbols.join("\n")}
}
namespace steward::dashboard {
namespace {
const Asset all[] = {
${rows.join("\n")}
};
}  // namespace
std::span<const Asset> assets() { return all; }
}  // namespace steward::dashboard
`,
);

// What index.html names, and what those files import before anything is shown.
const html = files.find((file) => file.path === "index.html").plain.toString();
const first = new Set();
const follow = (path) => {
  if (first.has(path)) return;
  first.add(path);
  const file = files.find((each) => each.path === path);
  if (!file || !path.endsWith(".js")) return;
  for (const [, name] of file.plain.toString().matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)) follow(`assets/${name}`);
};
for (const [, name] of html.matchAll(/(?:src|href)="\.\/([^"]+\.(?:js|css))"/g)) follow(name);
const total = [...first].reduce((sum, path) => sum + (files.find((file) => file.path === path)?.gzip ?? 0), 0);
const all = files.filter((file) => /\.(js|css)$/.test(file.path)).reduce((sum, file) => sum + file.gzip, 0);
const kB = (n) => `${(n / 1000).toFixed(1)} kB`;
console.log(`dashboard: first load ${kB(total)} of at most ${kB(budget)}, all pages ${kB(all)} (gzip)`);
if (total > budget) {
  console.error("dashboard: the first load is too large; see what was added to main, shell or parts");
  process.exit(1);
}
