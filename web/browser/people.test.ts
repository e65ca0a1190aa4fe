import { appendFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newPerson, openBrowser, password, signIn, Steward, type Person } from "./steward";

let steward: Steward;
let browser: Browser;
const people: Record<string, Person> = {};

beforeAll(async () => {
  steward = new Steward();
  steward.run("config", "init", "steward.yaml");
  appendFileSync(`${steward.shop}/steward.yaml`, "\njobs:\n  cleanup: {approval: {when: required, four_eyes: true}}\n");
  steward.variables = { STEWARD_CONFIG: "steward.yaml" };
  browser = await openBrowser();
  for (const [name, role] of [
    ["ada", "approver"],
    ["bob", "approver"],
    ["oli", "operator"],
    ["vic", "viewer"],
  ] as const)
    steward.addUser(name, role);
  await steward.start();
  for (const name of ["ada", "bob", "oli", "vic"]) {
    people[name] = await newPerson(browser);
    await signIn(people[name], steward.url, name);
  }
});
afterAll(async () => {
  await browser?.close();
  await steward?.remove();
});

const signals = () => Number(steward.sql("app.db", "select count(*) from signals"));

/** Ada plans and asks; the answer is the run that waits. */
async function ask(): Promise<string> {
  const { page } = people["ada"]!;
  await page.goto(`${steward.url}/jobs/cleanup`);
  await page.getByRole("button", { name: "Plan", exact: true }).click();
  await page.getByRole("button", { name: "Run…" }).click();
  await page.getByRole("button", { name: /^Remove \d/ }).click();
  await page.waitForURL(/\/runs\/\d{8}T/);
  await page.locator("h1").getByText("waiting for approval").waitFor({ timeout: 60_000 });
  return page.url().split("/").at(-1)!;
}

it("who has asked cannot approve, and is told so", async () => {
  const run = await ask();
  const { page } = people["ada"]!;
  await page.goto(`${steward.url}/approvals/${run}`);
  await page.getByText("You have asked for it: somebody else has to approve.").waitFor();
  expect(await page.getByRole("button", { name: /^Approve/ }).count()).toBe(0);
});

it("an operator sees the plan that waits, and who may answer it", async () => {
  const { page } = people["oli"]!;
  await page.goto(`${steward.url}/approvals`);
  await page.getByRole("link", { name: /^cleanup: / }).click();
  await page.getByText("What exactly will happen").waitFor();
  await page.getByText("Approve or reject: for approvers").waitFor();
  expect(await page.getByRole("button", { name: /Approve|Reject/ }).count()).toBe(0);
});

it("another rejects with a reason, nothing is removed, and the one who asked reads why", async () => {
  const before = signals();
  const { page } = people["bob"]!;
  await page.goto(`${steward.url}/approvals`);
  await page.getByRole("link", { name: /^cleanup: / }).click();
  await page.getByRole("button", { name: "Reject…" }).click();
  await page.getByLabel("Reason").fill("the import ran twice");
  await page.getByRole("button", { name: "Reject it" }).click();
  await page.locator("h1").getByText("rejected").waitFor();
  await people["ada"]!.page.getByText("the import ran twice").first().waitFor();
  expect(signals()).toBe(before);
});

it("another approves, it is carried out, and the history names both", async () => {
  const before = signals();
  const run = await ask();
  const { page } = people["bob"]!;
  await page.goto(`${steward.url}/approvals/${run}`);
  await page.getByRole("button", { name: /^Approve \d/ }).click();
  await page.getByRole("button", { name: "Approve it" }).click();
  await page.goto(`${steward.url}/runs/${run}`);
  await page.locator("h1").getByText("succeeded").waitFor({ timeout: 60_000 });
  expect(signals()).toBeLessThan(before);
  await page.goto(`${steward.url}/approvals?all=true`);
  const row = page.getByRole("row").filter({ has: page.locator(`a[href$="${run}"]`) });
  await row.getByText("bob").waitFor();
  await row.getByText("by ada").waitFor();
});

it("a run under way is cancelled: what is done stays done, the rest stays, and a viewer has no such button", async () => {
  steward.sql(
    "app.db",
    `insert into signals with recursive n(i) as (select 1 union all select i + 1 from n where i < 1500000)
     select 1000000 + i, 1, strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-90 days'), 0.5, '{}', 'x' from n;`,
  );
  const before = signals();
  steward.variables = { DATABASE_URL: "sqlite:///app.db" };
  const ended = steward.runMeanwhile("run", "cleanup/purge-signals", "--allow-removal", "purge-signals");
  steward.variables = { STEWARD_CONFIG: "steward.yaml" };
  const { page } = people["oli"]!;
  await page.goto(`${steward.url}/runs?status=running`);
  const link = page.getByRole("link", { name: /cleanup\/purge-signals/ });
  await link.waitFor({ timeout: 60_000 }); // it plans first, over 1,500,000 rows
  const address = (await link.getAttribute("href"))!;
  await people["vic"]!.page.goto(new URL(address, steward.url).href);
  await people["vic"]!.page.getByText("Cancel: for operators").waitFor();
  expect(await people["vic"]!.page.getByRole("button", { name: /Cancel/ }).count()).toBe(0);
  await link.click();
  await page.getByRole("button", { name: "Cancel…" }).click();
  await page.getByRole("button", { name: "Cancel the run" }).click();
  await page.locator("h1").getByText("cancelled").waitFor({ timeout: 60_000 });
  expect(await ended).toBe(1);
  const left = signals();
  expect(left).toBeGreaterThan(10_000);
  expect(left).toBeLessThanOrEqual(before);
});

it("a wrong password and an unknown name get the same answer, and too many of them have to wait", async () => {
  const mallory = await newPerson(browser);
  const { page } = mallory;
  await page.goto(steward.url);
  const attempt = async (name: string) => {
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Password").fill(`${password}?`);
    const answered = page.waitForResponse((response) => response.request().method() === "POST");
    await page.getByRole("button", { name: "Sign in" }).click();
    const { status } = await answered.then((response) => ({ status: response.status() }));
    await page.getByRole("alert").waitFor();
    return { status, text: await page.getByRole("alert").innerText() };
  };
  const unknown = await attempt("nobody");
  expect(unknown.status).toBe(401);
  expect(await attempt("bob")).toEqual(unknown);
  let last = unknown;
  for (let n = 0; n < 30 && last.status === 401; ++n) last = await attempt("bob");
  expect(last.status).toBe(429);
  await mallory.context.close();
});
