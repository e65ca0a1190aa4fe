import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newPerson, openBrowser, signIn, Steward, whatAxeFinds, type Person } from "./steward";

let steward: Steward;
let browser: Browser;
let vic: Person;
interface Listed {
  id: string;
  by_hand: string[];
}
const listed = () => (JSON.parse(steward.run("backup", "list", "--json")) as { backups: Listed[] }).backups;

beforeAll(async () => {
  steward = new Steward();
  browser = await openBrowser();
  await steward.start();
  steward.addUser("vic", "viewer");
  vic = await newPerson(browser);
  await vic.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await signIn(vic, steward.url, "vic");
});
afterAll(async () => {
  await browser?.close();
  await steward?.remove();
});

describe("backups", () => {
  it("that nobody has configured say which variables to set", async () => {
    const { page } = vic;
    await page.goto(`${steward.url}/backups`);
    await page.getByText("No backup is configured").waitFor();
    for (const name of ["DATABASE_URL", "BACKUP_BUCKET", "BACKUP_PROOF", "BACKUP_KEEP"]) await page.getByText(name, { exact: true }).first().waitFor();
    // Asking for them again is for when something has changed.
    expect(await page.getByRole("button", { name: "Look again" }).count()).toBe(0);
  });

  it("that are configured say that there is none yet", async () => {
    await steward.stop();
    steward.variables = { BACKUP_BUCKET: `file://${steward.shop}/backups` };
    await steward.start();
    await vic.page.goto(`${steward.url}/backups`);
    await vic.page.getByText("There is no backup yet").waitFor();
  });

  it("are shown night by night, with what each proof has found, to whoever may look", async () => {
    const { page } = vic;
    steward.run("run", "backup");
    steward.run("backup", "verify", "latest", "--depth", "restore");
    steward.run("run", "backup");
    const [first, second] = listed();
    const dump = `${steward.shop}/backups/${first!.id}/database.sqlite.zst`;
    await page.getByRole("button", { name: "Look again" }).click();
    await page.getByRole("cell", { name: /restored and compared/ }).waitFor();
    await page.getByRole("cell", { name: /not proved/ }).waitFor();
    expect(await page.getByRole("listitem").filter({ hasText: /: made, / }).count()).toBe(1);
    await page.getByRole("img", { name: /over 2 backups/ }).waitFor();

    const before = readFileSync(dump);
    chmodSync(dump, 0o600);
    writeFileSync(dump, Buffer.concat([before.subarray(0, -1), Buffer.from([before.at(-1)! ^ 1])]));
    expect(await steward.runMeanwhile("backup", "verify", first!.id, "--depth", "bytes")).toBe(1);
    await page.getByRole("button", { name: "Look again" }).click();
    const row = page.getByRole("row").filter({ hasText: first!.id });
    await row.getByText(/^✕\s*bad$/).waitFor();
    await row.getByText(/database\.sqlite\.zst/).waitFor();
    expect(await page.getByRole("row").filter({ hasText: second!.id }).getByText(/^✕\s*bad$/).count()).toBe(0);
  });

  it("give the command that brings them back, and those for a day without steward", async () => {
    const { page } = vic;
    const newest = listed().at(-1)!;
    await page.getByRole("button", { name: `Restore ${newest.id}…` }).click();
    const dialog = page.getByRole("dialog");
    const command = `steward backup restore ${newest.id} --to URL`;
    await dialog.getByText(command, { exact: true }).waitFor();
    for (const by_hand of newest.by_hand) await dialog.getByText(by_hand, { exact: true }).waitFor();
    await dialog.getByRole("button", { name: "Copy the restore command" }).click();
    await dialog.getByRole("button", { name: "Copied" }).waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(command);
    await page.keyboard.press("Escape");
  });

  it("are not said to be archived in a plan of theirs", async () => {
    const { page } = vic;
    await page.goto(`${steward.url}/jobs/backup?tab=plan`);
    await page.getByRole("button", { name: "Plan", exact: true }).click();
    await page.getByText(/SQLite's backup interface/).waitFor();
    expect(await page.getByText("archived first, can be restored").count()).toBe(0);
    await page.goto(`${steward.url}/jobs/cleanup?tab=plan`);
    await page.getByRole("button", { name: "Plan", exact: true }).click();
    await page.getByText("archived first, can be restored").first().waitFor();
  });

  it("have copies in a second store, and one that is left there alone comes back from it", async () => {
    const { page } = vic;
    await page.goto("about:blank"); // it would say that the server is gone
    await steward.stop();
    steward.variables = { ...steward.variables, BACKUP_COPY_TO: `file://${steward.shop}/second` };
    await steward.start();
    steward.run("run", "backup");
    await page.goto(`${steward.url}/backups`);
    const newest = listed().at(-1)!;
    await page.getByRole("row").filter({ hasText: newest.id }).getByText(`its copy in file://${steward.shop}/second`).waitFor();
    rmSync(`${steward.shop}/backups/${newest.id}`, { recursive: true });
    await page.getByRole("button", { name: "Look again" }).click();
    await page.getByText("1 backup in the second store alone").click();
    await page.getByRole("button", { name: `Restore the copy of ${newest.id}…` }).click();
    await page.getByRole("dialog").getByText(`steward backup restore ${newest.id} --copy --to URL`, { exact: true }).waitFor();
    await page.keyboard.press("Escape");
  });

  it("say on the overview to when one could go back, and how long the last proof took", async () => {
    await steward.stop();
    steward.variables = { ...steward.variables, BACKUP_PROOF: "7 days" };
    await steward.start();
    steward.run("run", "backup");
    await vic.page.goto(`${steward.url}/`);
    await vic.page.getByRole("listitem").filter({ hasText: /Restorable to .*; proved .*, which took \d+ m?s/ }).waitFor();
  });

  it("have heard no complaint of the browser's", () => expect(vic.complaints).toEqual([]));
});

it.each(["light", "dark"] as const)("in %s axe finds nothing, and a phone needs no scrolling sideways", async (colorScheme) => {
  const person = await newPerson(browser, { colorScheme, bypassCSP: true, viewport: { width: 360, height: 740 } });
  await signIn(person, steward.url, "vic");
  await person.page.goto(`${steward.url}/backups`);
  await person.page.getByRole("cell", { name: /not proved/ }).waitFor();
  expect(await whatAxeFinds(person.page)).toEqual([]);
  expect(await person.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await person.page.getByRole("button", { name: /^Restore / }).first().click();
  await person.page.getByRole("dialog").getByText("By hand, with stock programs").waitFor();
  expect(await whatAxeFinds(person.page)).toEqual([]);
  await person.context.close();
});
