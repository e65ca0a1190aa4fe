import { appendFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newPerson, openBrowser, signIn, Steward, type Person } from "./steward";

const runs = 50_000;
const lines = 100_000;

let steward: Steward;
let browser: Browser;
let ada: Person;
let longest = "";

/** One real run, copied into the past until there are `runs`; and its log with `lines` more. */
beforeAll(async () => {
  steward = new Steward();
  steward.run("run", "cleanup");
  longest = (JSON.parse(steward.run("runs", "--json")) as { runs: { run: string }[] }).runs[0]!.run;
  steward.sql(
    "state/ledger.db",
    `create temp table many as with recursive n(i) as (select 1 union all select i + 1 from n where i < ${runs - 1}) select r.*, i from runs r, n;
     update many set started = started - i * 60000000, ended = ended - i * 60000000, heartbeat = heartbeat - i * 60000000;
     update many set id = strftime('%Y%m%dT%H%M%SZ', started / 1000000, 'unixepoch') || printf('-%06x', i);
     alter table many drop column i;
     insert into runs select * from many;`,
  );
  const more: string[] = [];
  for (let n = 0; n < lines; ++n)
    more.push(JSON.stringify({ at: new Date(Date.parse("2026-01-01T00:00:00Z") + n * 10).toISOString(), level: n % 1000 === 0 ? "warning" : "info", task: "purge-signals", text: `batch ${n} is gone` }));
  appendFileSync(`${steward.shop}/state/runs/${longest}/log.jsonl`, `${more.join("\n")}\n`);
  steward.addUser("ada", "administrator");
  browser = await openBrowser();
  await steward.start();
  ada = await newPerson(browser);
  await signIn(ada, steward.url, "ada");
});
afterAll(async () => {
  await browser?.close();
  await steward?.remove();
});

const elements = (page: Page) => page.evaluate(() => document.querySelectorAll("*").length);

it("a run's log of 100,000 lines is read to its end, with no more rows in the page than can be seen", async () => {
  const { page } = ada;
  await page.goto(`${steward.url}/runs/${longest}`);
  await page.getByText(/^100,?\d{3} lines$/).waitFor({ timeout: 60_000 });
  const log = page.getByRole("log", { name: "Log" });
  await page.getByLabel("Follow").check();
  await log.getByText(`batch ${lines - 1} is gone`).waitFor();
  expect(await log.locator("[data-index]").count()).toBeLessThan(100);
});

it("a line in the middle of it is found by its words, and warnings by their level", async () => {
  const { page } = ada;
  await page.getByLabel("Search the log").fill("batch 54321 is");
  await page.getByText(/^1 of 100,?\d{3} lines$/).waitFor();
  await page.getByRole("log").getByText("batch 54321 is gone").waitFor();
  await page.getByLabel("Search the log").fill("");
  await page.getByLabel("Level").selectOption("warning");
  await page.getByText(/^100 of 100,?\d{3} lines$/).waitFor();
});

it("50,000 runs are scrolled to the first of all, and the page stays as small as it was", async () => {
  const { page } = ada;
  await page.goto(`${steward.url}/runs`);
  const first = steward.sql("state/ledger.db", "select id from runs order by started limit 1").trim();
  const last = steward.sql("state/ledger.db", "select id from runs order by started desc limit 1").trim();
  // How large the page is is known when it has rows, and not only the lists around them.
  await page.getByRole("link", { name: new RegExp(last) }).waitFor();
  const most = (await elements(page)) * 3;
  const seen = page.getByRole("link", { name: new RegExp(first) });
  let largest = 0;
  for (let n = 0; n < 5_000 && (await seen.count()) === 0; ++n) {
    const before = await page.evaluate(() => document.documentElement.scrollHeight);
    await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
    largest = Math.max(largest, await elements(page));
    // Either it is there, or what was asked for has made the list longer.
    await page.waitForFunction(([id, height]) => document.body.innerText.includes(id) || document.documentElement.scrollHeight > height, [first, before] as const);
  }
  await seen.waitFor();
  expect(largest).toBeLessThan(most);
});
