import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newPerson, openBrowser, password, signIn, Steward, whatAxeFinds, type Person } from "./steward";

let steward: Steward;
let browser: Browser;
let ada: Person;

beforeAll(async () => {
  steward = new Steward();
  browser = await openBrowser();
  await steward.start();
  ada = await newPerson(browser);
});
afterAll(async () => {
  await browser?.close();
  await steward?.remove();
});

/** The pictures in cold storage. */
const copies = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".png"))
    .map((path) => `${folder}/${path}`);
const visible = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor();

describe("an administrator, from the first start on", () => {
  it("makes the first account by the link, and is signed in", async () => {
    const { page } = ada;
    await page.goto(steward.setupLink);
    await page.getByLabel("Name").fill("ada");
    await page.getByLabel("Password", { exact: true }).fill(password);
    await page.getByLabel("Password once more").fill("another one");
    await visible(page, "The two differ.");
    await page.getByLabel("Password once more").fill(password);
    await page.getByRole("button", { name: "Make it, and sign in" }).click();
    await page.getByRole("heading", { name: "production" }).waitFor();
    await visible(page, "cleanup has never run as a whole");
    await page.getByText("Live", { exact: true }).first().waitFor();
  });

  it("plans, runs from the plan, watches the run to its end, and finds it in the history", async () => {
    const { page } = ada;
    await page.getByRole("link", { name: "cleanup" }).first().click();
    await page.getByRole("button", { name: "Plan", exact: true }).click();
    await visible(page, /would go,/);
    const planned = steward.run("plan", "cleanup", "--json");
    const items = (JSON.parse(planned) as { tasks: { planned: { items: number } }[] }).tasks.reduce((all, task) => all + task.planned.items, 0);
    await page.getByRole("button", { name: "Run…" }).click();
    await page.getByRole("button", { name: `Remove ${items.toLocaleString("en")} items` }).click();
    await page.waitForURL(/\/runs\/\d{8}T/);
    await page.locator("h1").getByText("succeeded").waitFor({ timeout: 60_000 });
    await visible(page, "ended: succeeded");
    const id = page.url().split("/").at(-1)!;
    await page.getByRole("link", { name: "Runs" }).first().click();
    await page.getByRole("link", { name: new RegExp(id) }).waitFor();
    expect(JSON.parse(steward.run("runs", "show", id, "--json"))).toMatchObject({ status: "succeeded", actor: "ada" });
  });

  it("sees a run that was started elsewhere without reloading anything", async () => {
    const { page } = ada;
    await page.goto(`${steward.url}/runs`);
    await page.getByText("Live", { exact: true }).first().waitFor();
    steward.run("run", "cleanup/purge-logs");
    await page.getByRole("link", { name: /cleanup\/purge-logs/ }).waitFor();
  });

  it("brings a mockup back from the archive, with its picture", async () => {
    const { page } = ada;
    await page.goto(`${steward.url}/archive`);
    await page.getByRole("button", { name: "Restore rows…" }).click();
    await page.getByRole("dialog").getByRole("combobox").selectOption("mockups");
    await page.getByLabel("Keys").fill("37");
    await page.getByRole("button", { name: "Restore 1 row" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("status").or(dialog.getByRole("alert")).waitFor();
    expect(await dialog.innerText()).toMatch(/1 item restored/);
    await page.getByRole("button", { name: "Done" }).click();
    expect(readFileSync(`${steward.shop}/media/mockups/mockup-037.png`).length).toBeGreaterThan(0);
    await page.goto(`${steward.url}/holds`);
    await visible(page, /mockups 37/);
  });

  it("says which copies are damaged, and that all are well only where they are", async () => {
    const { page } = ada;
    await page.goto(`${steward.url}/archive`);
    await page.getByRole("button", { name: "Verify every copy" }).click();
    await visible(page, /copies read, .*: all are what was archived/);
    const copy = copies(`${steward.shop}/cold_storage`)[0]!;
    const before = readFileSync(copy);
    chmodSync(copy, 0o600);
    writeFileSync(copy, Buffer.concat([before.subarray(0, -1), Buffer.from([before.at(-1)! ^ 1])]));
    await page.getByRole("button", { name: "Verify every copy" }).click();
    await visible(page, /1 is not what was archived|2 are not what was archived/);
    expect(await page.getByText(/all are what was archived/).count()).toBe(0);
    writeFileSync(copy, before);
  });

  it("pauses a job with a reason, and resumes it", async () => {
    const { page } = ada;
    await page.goto(`${steward.url}/jobs/cleanup`);
    await page.getByRole("button", { name: "Pause…" }).click();
    await page.getByLabel("Reason").fill("moving the database");
    await page.getByRole("button", { name: "Pause it" }).click();
    await visible(page, "moving the database");
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByText("moving the database").waitFor({ state: "detached" });
  });

  it("freezes every removal, sees it on the overview, and lifts it", async () => {
    const { page } = ada;
    await page.goto(`${steward.url}/holds`);
    await page.getByRole("button", { name: "Freeze every removal…" }).click();
    await page.getByLabel("Reason").fill("an audit");
    await page.getByRole("button", { name: "Freeze", exact: true }).click();
    await page.getByRole("button", { name: "Lift" }).waitFor();
    await page.goto(steward.url);
    await visible(page, /Nothing is removed: an audit/);
    await page.goto(`${steward.url}/holds`);
    await page.getByRole("button", { name: "Lift" }).click();
    await visible(page, "Nothing is frozen");
  });

  it("makes an account and a token, which is shown once and works, and takes both back", async () => {
    const { page } = ada;
    await page.goto(`${steward.url}/people`);
    await page.getByRole("button", { name: "Add a user…" }).click();
    let dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill("tom");
    await dialog.getByLabel("Role").selectOption("operator");
    await dialog.getByLabel("First password").fill(password);
    await dialog.locator("button[type=submit]").click();
    await page.getByRole("row").filter({ hasText: "tom" }).getByText("operator").waitFor();
    await page.getByRole("button", { name: "Make a token…" }).click();
    dialog = page.getByRole("dialog");
    await dialog.getByLabel("What it is for").fill("deploys");
    await dialog.getByLabel("Role").selectOption("viewer");
    await dialog.locator("button[type=submit]").click();
    const secret = (await page.getByRole("dialog").getByText(/^steward_/).innerText()).trim();
    const ask = () => fetch(`${steward.url}/api/v1/me`, { headers: { authorization: `Bearer ${secret}` } });
    expect((await ask()).status).toBe(200);
    await page.getByRole("dialog").getByRole("button").last().click();
    expect(await page.getByText(secret).count()).toBe(0);
    await page.getByRole("button", { name: "Revoke deploys" }).click();
    await page.getByRole("row").filter({ hasText: "deploys" }).getByRole("button", { name: /Revoke/ }).click();
    await expect.poll(async () => (await ask()).status).toBe(401);
    await page.getByRole("button", { name: "Change tom" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await page.getByRole("row").filter({ hasText: "tom" }).waitFor({ state: "detached" });
    await page.goto(`${steward.url}/ledger`);
    await page.getByLabel("Search the ledger").fill("token");
    for (const act of ["token add", "token revoke"]) await visible(page, act);
    expect(await page.getByText(secret.slice(-12)).count()).toBe(0);
  });

  it("sees each setting with where it comes from, and how to set what is not", async () => {
    const { page } = ada;
    await page.goto(`${steward.url}/configuration`);
    const row = page.getByRole("row").filter({ hasText: "MEDIA_ROOT" }).first();
    await row.getByText("environment").first().waitFor();
    await page.getByRole("row").filter({ hasText: "BACKUP_BUCKET" }).first().waitFor();
  });

  it("goes everywhere by keys alone", async () => {
    const { page } = ada;
    await page.goto(steward.url);
    await page.getByRole("heading", { name: "production" }).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.type("gr");
    await page.getByRole("heading", { name: "Runs" }).waitFor();
    await page.getByRole("link", { name: /cleanup/ }).first().waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/runs\/\d{8}T/);
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "A page, a job or a run" }).fill("led");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Ledger" }).waitFor();
  });

  it("is told when the connection is lost, and needs to do nothing when it is back", async () => {
    const { page } = ada;
    await page.goto(`${steward.url}/runs`);
    await page.getByText("Live", { exact: true }).first().waitFor();
    await steward.stop();
    await visible(page, /The connection to the server is lost/);
    await steward.start();
    await page.getByText("Live", { exact: true }).first().waitFor({ timeout: 30_000 });
    await page.getByText(/The connection to the server is lost/).waitFor({ state: "detached" });
    // The browser says of each attempt that it failed; that is not the page's complaint.
    ada.complaints.splice(0, ada.complaints.length, ...ada.complaints.filter((text) => !text.includes("ERR_")));
  });

  it("has heard no complaint of the browser's, from scripts or from the policy", () => expect(ada.complaints).toEqual([]));
});

describe("people of other roles", () => {
  it("a viewer sees who could press what they may not, and no button that refuses them", async () => {
    steward.addUser("vic", "viewer");
    const vic = await newPerson(browser);
    await signIn(vic, steward.url, "vic");
    await vic.page.goto(`${steward.url}/jobs/cleanup`);
    await visible(vic.page, "Pause: for operators");
    expect(await vic.page.getByRole("button", { name: "Pause…" }).count()).toBe(0);
    await vic.page.goto(`${steward.url}/holds`);
    await visible(vic.page, "Freeze: for operators");
    expect(await vic.page.getByRole("link", { name: "Users and tokens" }).count()).toBe(0);
    await vic.context.close();
  });

  it("who is not known is told so, and goes where they wanted once they have signed in", async () => {
    const bob = await newPerson(browser);
    steward.addUser("bob", "approver");
    await bob.page.goto(`${steward.url}/ledger`);
    await bob.page.getByLabel("Name").fill("bob");
    await bob.page.getByLabel("Password").fill("wrong");
    await bob.page.getByRole("button", { name: "Sign in" }).click();
    await bob.page.getByRole("alert").waitFor();
    await bob.page.getByLabel("Password").fill(password);
    await bob.page.getByRole("button", { name: "Sign in" }).click();
    await bob.page.getByRole("heading", { name: "Ledger" }).waitFor();
    await bob.context.close();
  });
});

const pages = ["/", "/jobs", "/jobs/cleanup", "/jobs/cleanup?tab=history", "/jobs/cleanup?tab=ticks", "/jobs/backup", "/runs", "/runs/latest", "/approvals", "/archive", "/archive/rows", "/backups", "/holds", "/notifications", "/ledger", "/people", "/configuration", "/no/such/page"];
const settled = async (page: Page) => {
  await page.locator("h1").first().waitFor();
  await page.getByRole("status", { name: "Loading" }).first().waitFor({ state: "detached" });
};

describe.each(["light", "dark"] as const)("in %s", (colorScheme) => {
  it("axe finds nothing on any page", async () => {
    const person = await newPerson(browser, { colorScheme, bypassCSP: true });
    await signIn(person, steward.url, "ada");
    const found: string[] = [];
    for (const path of pages) {
      await person.page.goto(steward.url + path);
      await settled(person.page);
      found.push(...(await whatAxeFinds(person.page)).map((each) => `${path}: ${each}`));
    }
    expect(found).toEqual([]);
    await person.context.close();
  });
});

it("no page is wider than a phone of 360 pixels", async () => {
  const person = await newPerson(browser, { viewport: { width: 360, height: 740 } });
  await signIn(person, steward.url, "ada");
  const wide: string[] = [];
  for (const path of pages) {
    await person.page.goto(steward.url + path);
    await settled(person.page);
    const width = await person.page.evaluate(() => document.documentElement.scrollWidth);
    if (width > 360) wide.push(`${path}: ${width}`);
  }
  expect(wide).toEqual([]);
  await person.context.close();
});
