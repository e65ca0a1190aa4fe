// Takes a picture of each page of a running dashboard, light, dark and on a phone:
//   node scripts/pictures.mjs SETUP_LINK FOLDER
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const [link, folder] = process.argv.slice(2);
if (!link || !folder) throw new Error("usage: node scripts/pictures.mjs SETUP_LINK FOLDER");
const server = new URL(link).origin;
mkdirSync(folder, { recursive: true });

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const first = await browser.newContext({ viewport: { width: 1280, height: 800 } });
const page = await first.newPage();
await page.goto(link);
await page.screenshot({ path: `${folder}/setup-light.png` });
await page.getByLabel("Name").fill("ada");
await page.getByLabel("Password", { exact: true }).fill("correct horse battery");
await page.getByLabel("Password once more").fill("correct horse battery");
await page.getByRole("button", { name: "Make it, and sign in" }).click();
await page.locator("main#content h1").first().waitFor();
const get = async (path) => (await first.request.get(`${server}/api/v1/${path}`)).json();
const runs = (await get("runs?job=cleanup&limit=60")).runs;
const waiting = (await get("approvals")).approvals[0];
const failed = runs.find((run) => run.status === "partial" || run.status === "failed");

const pages = {
  overview: "/",
  jobs: "/jobs",
  job: "/jobs/cleanup",
  history: "/jobs/cleanup?tab=history",
  ticks: "/jobs/cleanup?tab=ticks",
  runs: "/runs",
  run: `/runs/${runs.find((run) => run.status === "succeeded").run}`,
  ...(failed ? { failed: `/runs/${failed.run}` } : {}),
  approvals: "/approvals",
  ...(waiting ? { approval: `/approvals/${waiting.run}` } : {}),
  archive: "/archive",
  rows: "/archive/rows?table=mockups",
  lines: "/archive/rows?table=audit_logs",
  backups: "/backups",
  notifications: "/notifications",
  holds: "/holds",
  ledger: "/ledger",
  people: "/people",
  configuration: "/configuration",
  missing: "/no/such/page",
};
const looks = {
  light: { viewport: { width: 1280, height: 800 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: "light", isMobile: true },
};
const storageState = await first.storageState();
for (const [look, options] of Object.entries(looks)) {
  const context = await browser.newContext({ ...options, storageState, reducedMotion: "reduce" });
  const each = await context.newPage();
  for (const [name, path] of Object.entries(pages)) {
    await each.goto(server + path);
    await each.locator("h1").first().waitFor();
    await each.getByRole("status", { name: "Loading" }).first().waitFor({ state: "detached" });
    await each.waitForTimeout(700); // the smaller questions of a page are answered after it stands
    await each.screenshot({ path: `${folder}/${name}-${look}.png` });
    if (look === "light") await each.screenshot({ path: `${folder}/${name}-whole.png`, fullPage: true });
    if (name === "job") {
      await each.getByRole("button", { name: "Plan", exact: true }).click();
      await each.getByText(/would go,/).first().waitFor();
      await each.screenshot({ path: `${folder}/plan-${look}.png`, fullPage: true });
    }
    if (name !== "rows") continue;
    await each.getByRole("list", { name: "Pictures" }).getByRole("button").nth(2).click();
    await each.getByRole("dialog").getByText("SHA-256").waitFor();
    await each.waitForTimeout(300);
    await each.screenshot({ path: `${folder}/row-${look}.png` });
  }
  await context.close();
}
await browser.close();
