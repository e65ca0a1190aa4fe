/** A real `steward serve` on a small application of its own, and a real browser before it. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";

const house = fileURLToPath(new URL("../..", import.meta.url));
const program = process.env["STEWARD_PROGRAM"] ?? join(house, "build/steward");
export const password = "correct horse battery";

const freePort = () =>
  new Promise<number>((found, failed) => {
    const probe = createServer().on("error", failed);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => found(port));
    });
  });

export class Steward {
  readonly shop = join(mkdtempSync(join(tmpdir(), "steward-browser-")), "shop");
  url = "";
  output = "";
  /** Variables besides those of the built-in tasks. */
  variables: NodeJS.ProcessEnv = {};
  private daemon: ChildProcess | undefined;
  private port = 0;

  constructor() {
    execFileSync(join(house, "scripts/make_shop.sh"), [this.shop], { stdio: "ignore" });
  }

  get environment(): NodeJS.ProcessEnv {
    return {
      PATH: process.env["PATH"],
      HOME: this.shop,
      DATABASE_URL: "sqlite:///app.db",
      MEDIA_ROOT: "media",
      COLD_STORAGE_PATH: "cold_storage",
      LOG_DIR: "logs",
      S3_BUCKET: `file://${this.shop}/bucket`,
      STEWARD_STATE_DIR: join(this.shop, "state"),
      STEWARD_ENV: "production",
      STEWARD_LISTEN: `127.0.0.1:${this.port}`,
      ...this.variables,
    };
  }

  /** The command line of the same steward. */
  run(...words: string[]): string {
    return execFileSync(program, words, { cwd: this.shop, env: this.environment, encoding: "utf8" });
  }
  /** The same, while the test goes on; the answer is its exit code. */
  runMeanwhile(...words: string[]): Promise<number | null> {
    const child = spawn(program, words, { cwd: this.shop, env: this.environment, stdio: "ignore" });
    return new Promise((ended) => child.once("exit", ended));
  }
  /** Into a database of the shop, or into the ledger ("state/ledger.db"). */
  sql(database: string, text: string): string {
    return execFileSync("sqlite3", ["-cmd", ".timeout 20000", database], { cwd: this.shop, input: text, encoding: "utf8", stdio: ["pipe", "pipe", "inherit"] });
  }
  addUser(name: string, role: string) {
    execFileSync(program, ["user", "add", name, "--role", role], { cwd: this.shop, env: this.environment, input: `${password}\n`, stdio: ["pipe", "ignore", "inherit"] });
  }

  async start(): Promise<void> {
    if (this.port === 0) this.port = await freePort();
    const daemon = spawn(program, ["serve"], { cwd: this.shop, env: this.environment, stdio: ["ignore", "pipe", "pipe"] });
    this.daemon = daemon;
    const take = (text: Buffer) => (this.output += text.toString());
    daemon.stdout.on("data", take);
    daemon.stderr.on("data", take);
    this.url = `http://127.0.0.1:${this.port}`;
    const end = Date.now() + 20_000;
    for (;;) {
      if (daemon.exitCode !== null) throw new Error(`steward serve has ended: ${this.output}`);
      const answer = await fetch(`${this.url}/healthz`).catch(() => null);
      if (answer?.ok) return;
      if (Date.now() > end) throw new Error(`steward serve does not answer: ${this.output}`);
      await new Promise((go) => setTimeout(go, 50));
    }
  }

  /** The link by which the first administrator is made. */
  get setupLink(): string {
    const found = /(http:\S+\/setup#\S+)/.exec(this.output);
    if (!found?.[1]) throw new Error(`no setup link: ${this.output}`);
    return found[1];
  }

  async stop(): Promise<void> {
    const { daemon } = this;
    this.daemon = undefined;
    if (!daemon || daemon.exitCode !== null) return;
    const ended = new Promise((go) => daemon.once("exit", go));
    daemon.kill("SIGTERM");
    await ended;
  }
  async remove(): Promise<void> {
    await this.stop();
    rmSync(join(this.shop, ".."), { recursive: true, force: true });
  }
}

export const openBrowser = (): Promise<Browser> => chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: ["--no-sandbox"] });

/** A person with a browser of their own. What the page complains of in its console is kept. */
export interface Person {
  page: Page;
  context: BrowserContext;
  complaints: string[];
}
export async function newPerson(browser: Browser, options: Parameters<Browser["newContext"]>[0] = {}): Promise<Person> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    // A 401 before the sign-in is how the page learns that it has to ask.
    if (message.type() === "error" && !message.text().includes("401")) complaints.push(message.text());
  });
  return { page, context, complaints };
}

export async function signIn(person: Person, url: string, name: string): Promise<void> {
  const { page } = person;
  await page.goto(url);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("main#content").waitFor();
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** What axe finds wrong on the page as it stands; the person's context has to have `bypassCSP`. */
export async function whatAxeFinds(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const run = (window as unknown as { axe: { run: () => Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> } }).axe.run;
    return (await run()).violations.map((each) => `${each.id}: ${each.nodes.map((node) => `${node.html} ${node.failureSummary}`).join(" | ")}`);
  });
}
