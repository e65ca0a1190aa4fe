import { chmodSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newPerson, openBrowser, signIn, Steward, whatAxeFinds, type Person } from "./steward";

let steward: Steward;
let browser: Browser;
let ada: Person;
let receiver: Server;
/** What the webhook was sent. */
const received: string[] = [];
let answer = 200;

interface Row {
  key: string;
  run: string;
  file: { copy: string } | null;
}
const rowsOf = (...words: string[]) => (JSON.parse(steward.run("archive", "show", "--json", "--limit", "500", ...words)) as { rows: Row[] }).rows;

beforeAll(async () => {
  receiver = createServer((request, response) => {
    let body = "";
    request.on("data", (part: Buffer) => (body += part.toString()));
    request.on("end", () => {
      received.push(body);
      response.writeHead(answer).end();
    });
  });
  await new Promise<void>((go) => receiver.listen(0, "127.0.0.1", go));
  steward = new Steward();
  steward.variables = { SLACK_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook` };
  steward.run("run", "cleanup");
  steward.addUser("ada", "administrator");
  steward.addUser("vic", "viewer");
  browser = await openBrowser();
  await steward.start();
  ada = await newPerson(browser, { bypassCSP: true });
  await signIn(ada, steward.url, "ada");
});
afterAll(async () => {
  await browser?.close();
  await steward?.remove();
  receiver?.close();
});

describe("cold storage, row by row", () => {
  it("shows mockups with their pictures, and all of one with a click", async () => {
    const { page } = ada;
    await page.goto(`${steward.url}/archive`);
    await page.getByRole("link", { name: "mockups" }).first().click();
    const pictures = page.getByRole("list", { name: "Pictures" });
    await pictures.getByRole("button").first().waitFor();
    // Drawn, and not only there.
    await page.waitForFunction(() => [...document.querySelectorAll("main img")].slice(0, 3).every((each) => (each as HTMLImageElement).naturalWidth > 0));
    expect(await whatAxeFinds(page)).toEqual([]);
    await pictures.getByRole("button").first().click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("image_url").waitFor();
    await dialog.getByText("SHA-256").waitFor();
    expect(await whatAxeFinds(page)).toEqual([]);
  });

  it("brings the row that one looks at back", async () => {
    const { page } = ada;
    const dialog = page.getByRole("dialog");
    const title = await dialog.locator("h2").innerText();
    const key = title.split(" ")[1]!;
    await dialog.getByRole("button", { name: "Restore…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Restore 1 row" }).click();
    await page.getByRole("dialog").getByText("1 item restored").waitFor();
    await page.getByRole("button", { name: "Done" }).click();
    expect(steward.sql("app.db", `select count(*) from mockups where id = ${key}`).trim()).toBe("1");
  });

  it("finds a row by its words, at an address that can be passed on", async () => {
    const { page } = ada;
    const wanted = rowsOf("--table", "audit_logs").at(-1)!;
    await page.goto(`${steward.url}/archive/rows?table=audit_logs`);
    await page.getByRole("table").getByRole("button").first().waitFor();
    const word = `on day ${/on day (\d+)/.exec(JSON.stringify(wanted))?.[1] ?? ""}`;
    await page.getByLabel("Search archived rows").fill(word);
    await page.getByRole("button", { name: "Search" }).click();
    await page.waitForURL(/q=/);
    await page.getByRole("button", { name: wanted.key, exact: true }).waitFor();
    const other = await newPerson(browser);
    await signIn(other, steward.url, "ada");
    await other.page.goto(page.url());
    await other.page.getByRole("button", { name: wanted.key, exact: true }).waitFor();
    await other.context.close();
  });

  it("says that none is like that, and how many were looked at", async () => {
    const { page } = ada;
    await page.goto(`${steward.url}/archive/rows?q=nowhere-to-be-found`);
    await page.getByText("No archived row is like that").waitFor();
    await page.getByText(/\d+ rows were looked at/).waitFor();
  });

  it("shows no picture of a copy that is damaged", async () => {
    const { page } = ada;
    const row = rowsOf("--table", "mockups").find((each) => each.file !== null)!;
    const copy = `${steward.shop}/cold_storage/${row.file!.copy}`;
    const before = readFileSync(copy);
    chmodSync(copy, 0o600);
    writeFileSync(copy, Buffer.concat([before.subarray(0, -1), Buffer.from([before.at(-1)! ^ 1])]));
    // What was looked at before is in the browser's cache, and good: another browser asks.
    const other = await newPerson(browser);
    await signIn(other, steward.url, "ada");
    await other.page.goto(`${steward.url}/archive/rows?table=mockups&q=${encodeURIComponent(row.file!.copy.split("/").at(-1)!.replace(/^\d+-/, ""))}`);
    await other.page.getByText(/no picture could be shown of/).first().waitFor();
    await other.context.close();
    writeFileSync(copy, before);
    await page.goto(steward.url);
  });

  it("is for operators: a viewer is told so", async () => {
    const vic = await newPerson(browser);
    await signIn(vic, steward.url, "vic");
    await vic.page.goto(`${steward.url}/archive/rows`);
    await vic.page.getByText("Archived rows are for operators").waitFor();
    expect(vic.complaints).toEqual([]);
    await vic.context.close();
  });
});

describe("a run", () => {
  it("names the files that it removed, and finds one among them", async () => {
    const { page } = ada;
    const run = (JSON.parse(steward.run("runs", "--json")) as { runs: { run: string; job: string }[] }).runs.find((each) => each.job === "cleanup")!.run;
    await page.goto(`${steward.url}/runs/${run}?items=purge-logs`);
    const items = page.getByRole("region", { name: "What it moved", exact: true });
    await items.getByText("removed").first().waitFor();
    const name = (await items.locator("tbody tr").first().locator("td").first().innerText()).trim();
    await items.getByLabel("Search by name").fill(name.toUpperCase());
    await items.getByRole("button", { name: "Search" }).click();
    await page.waitForURL(/name=/);
    await page.waitForFunction(() => document.querySelectorAll("section[aria-label='What it moved'] tbody tr").length === 1);
    await page.getByRole("link", { name: "rows of this run" }).click();
    await page.waitForURL(new RegExp(`/archive/rows\\?run=${run}`));
    expect(await whatAxeFinds(page)).toEqual([]);
  });
});

describe("notifications", () => {
  it("show the channels, and a test that arrives", async () => {
    const { page } = ada;
    await page.goto(`${steward.url}/notifications`);
    await page.getByRole("heading", { name: /slack/ }).waitFor();
    await page.getByRole("button", { name: "Send a test" }).click();
    await page.getByText("Is it where people look?").waitFor();
    expect(received.some((body) => body.includes("test"))).toBe(true);
    expect(await whatAxeFinds(page)).toEqual([]);
  });

  it("say of a test that is refused why", async () => {
    const { page } = ada;
    answer = 404;
    await page.getByRole("button", { name: "Send a test" }).click();
    await page.getByText("✕ not delivered").waitFor();
    answer = 200;
  });

  it("list what was told, with what became of it", async () => {
    const { page } = ada;
    steward.sql("app.db", "alter table signals rename to signals_gone;");
    await steward.runMeanwhile("run", "cleanup/purge-signals");
    steward.sql("app.db", "alter table signals_gone rename to signals;");
    await page.goto(`${steward.url}/notifications`);
    const told = page.getByRole("table").getByRole("row").filter({ hasText: "failed" });
    await told.getByText("sent").waitFor({ timeout: 30_000 });
    await page.goto(`${steward.url}/notifications?open=true`);
    await page.getByText("Nothing is on its way").waitFor();
  });
});

describe("the overview", () => {
  it("says what would go next, beside what is usual", async () => {
    const { page } = ada;
    await page.goto(steward.url);
    const next = page.getByRole("article", { name: "Next: cleanup" });
    await next.getByText(/^(Nothing|About .*)$/).waitFor({ timeout: 30_000 });
    await next.getByText(/usually/).first().waitFor();
  });

  it("says what stays night after night, why and since when", async () => {
    const { page } = ada;
    steward.run("hold", "add", "--path", `${steward.shop}/logs/kept.log`, "--reason", "case 12");
    writeFileSync(`${steward.shop}/logs/kept.log`, "x");
    utimesSync(`${steward.shop}/logs/kept.log`, new Date("2026-01-01"), new Date("2026-01-01"));
    for (let night = 0; night < 3; ++night) steward.run("run", "cleanup/purge-logs");
    await page.goto(steward.url);
    const stays = page.getByRole("region", { name: "What stays, night after night", exact: true });
    await stays.getByText("held").waitFor();
    await stays.getByText("3 runs").waitFor();
  });
});
