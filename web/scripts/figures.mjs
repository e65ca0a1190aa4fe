// How fast a running dashboard is in a browser whose processor is slowed down: node scripts/figures.mjs SETUP_LINK [SLOWDOWN]
import { chromium } from "playwright-core";

const [link, slowdown = "4"] = process.argv.slice(2);
if (!link) throw new Error("usage: node scripts/figures.mjs SETUP_LINK [SLOWDOWN]");
const server = new URL(link).origin;
const median = (all) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];
const line = (what, all) => console.log(`${what.padEnd(48)} ${String(Math.round(median(all))).padStart(5)} ms   (worst of ${all.length}: ${Math.round(Math.max(...all))})`);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const first = await browser.newContext();
const setup = await first.newPage();
await setup.goto(link);
await setup.getByLabel("Name").fill("ada");
await setup.getByLabel("Password", { exact: true }).fill("correct horse battery");
await setup.getByLabel("Password once more").fill("correct horse battery");
await setup.getByRole("button", { name: "Make it, and sign in" }).click();
await setup.locator("main#content h1").first().waitFor();
const storageState = await first.storageState();
await first.close();

const painted = [];
const usable = [];
const clicks = { "Runs": [], "Ledger": [], "Overview": [] };
for (let n = 0; n < 5; ++n) {
  // A context of its own each time: nothing is in its cache.
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, storageState });
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: Number(slowdown) });
  await page.goto(server);
  usable.push(await page.evaluate(() => new Promise((done) => {
    const look = () => (document.querySelector("main#content table [data-row]") ? done(performance.now()) : requestAnimationFrame(look));
    look();
  })));
  painted.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
  for (const [name, all] of Object.entries(clicks))
    // From the click to the frame in which the page's own heading and first row stand.
    all.push(await page.evaluate((wanted) => new Promise((done) => {
      const began = performance.now();
      [...document.querySelectorAll("nav a")].find((each) => each.textContent.trim() === wanted).click();
      const path = wanted === "Overview" ? "/" : `/${wanted.toLowerCase()}`;
      const look = () => (location.pathname === path && document.querySelector("main#content [data-row], main#content tbody tr") ? requestAnimationFrame(() => done(performance.now() - began)) : requestAnimationFrame(look));
      requestAnimationFrame(look);
    }), name));
  await context.close();
}
console.log(`processor slowed ${slowdown} times, nothing in the cache`);
line("first contentful paint", painted);
line("overview with its jobs, ready for a click", usable);
for (const [name, all] of Object.entries(clicks)) line(`click to ${name}, its first row drawn`, all);
await browser.close();
