// Files that come in and leave: tables of one's own, weights, experiments, programs; and what the browser keeps of them.
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test, type Download, type Page } from "@playwright/test";
import { Lab, link } from "../lab";

/** A table of two numbers and a class; some 6 bytes a row. */
const table = (rows: number, classes = ["cat", "dog"]): string =>
  ["a,b,kind", ...Array.from({ length: rows }, (_, i) => `${i % 7},${(i * 3) % 5},${classes[(i % 7) % 2]}`)].join("\n");

const LARGE = 20_000;

/** Drops files on an element, as the browser does. */
async function drop(page: Page, files: { name: string; bytes: Buffer | string }[], on = "h1"): Promise<void> {
  const given = files.map(({ name, bytes }) => ({ name, base64: Buffer.from(bytes).toString("base64") }));
  const data = await page.evaluateHandle((given) => {
    const transfer = new DataTransfer();
    for (const { name, base64 } of given) transfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
    return transfer;
  }, given);
  await page.dispatchEvent(on, "dragover", { dataTransfer: data });
  await page.dispatchEvent(on, "drop", { dataTransfer: data });
}

async function bytesOf(download: Download): Promise<Buffer> {
  return readFileSync(await download.path());
}

async function exported(page: Page, what: string): Promise<Buffer> {
  await page.getByTestId("export").click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator(`[data-export=${what}]`).click()]);
  return bytesOf(download);
}

const labels = (page: Page) => page.evaluate(() => JSON.stringify(window.downhill!.state().experiment));

/** Waits until the run learns from this table. */
async function learns(lab: Lab, word: string): Promise<void> {
  await lab.reach(new Function("state", `return state.step > 0 && JSON.stringify(state.experiment.data).includes(${JSON.stringify(word)})`) as never);
}

test("a shared link says how long it is and what it holds", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await new Lab(page).open();
  await page.getByTestId("share").click();
  await expect(page.locator("#share")).toContainText(/copied.*\d+ characters.*whole experiment/);
  const url = await page.getByTestId("link").inputValue();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(url);
  await expect(page.locator("#share")).toContainText(`${url.length} characters`);
});

test("where there is no clipboard the link is selected, with a sentence", async ({ page }) => {
  const lab = new Lab(page);
  await page.addInitScript(() => Object.defineProperty(Navigator.prototype, "clipboard", { value: undefined }));
  await lab.open();
  await page.getByTestId("share").click();
  await expect(page.locator("#share")).toContainText("The link is selected");
  const selected = () => page.getByTestId("link").evaluate((field: HTMLInputElement) => field.selectionEnd! - field.selectionStart!);
  await expect.poll(selected).toBeGreaterThan(50);
  await expect(page.locator("#crash")).toBeHidden();
});

test("a table that no link can hold is told before anything is copied, and the file that is offered holds it", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const lab = new Lab(page);
  await lab.open();
  await page.evaluate(() => navigator.clipboard.writeText("before"));
  await drop(page, [{ name: "mine.csv", bytes: table(LARGE) }]);
  await learns(lab, "mine.csv");
  await page.getByTestId("share").click();
  await expect(page.locator("#share")).toContainText('not "mine.csv"');
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("before");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByTestId("share-file").click()]);
  const document = await bytesOf(download);
  expect(JSON.parse(document.toString()).data.csv.text.length).toBe(table(LARGE).length);
  // On another machine.
  const other = await (await page.context().browser()!.newContext()).newPage();
  const there = new Lab(other);
  await other.goto(page.url().split("#")[0]!);
  await there.reach((state) => state.step > 0);
  await drop(other, [{ name: "theirs.json", bytes: document }]);
  await learns(there, "theirs.csv");
  await other.close();
});

test("everything that can be exported is there", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await lab.reach((state) => state.step > 300 && state.metrics.validation_loss !== undefined);
  const zip = await exported(page, "program");
  // The central directory: each entry says how long its name is.
  const names = [...zip.toString("latin1").matchAll(/PK\x01\x02/g)].map(({ index }) => zip.toString("latin1", index + 46, index + 46 + zip.readUInt16LE(index + 28)));
  expect(names).toEqual(["train.py", "init.safetensors", "data.safetensors"]);
  expect(zip.includes("torch.optim")).toBe(true);
  const weights = await exported(page, "weights");
  const header = JSON.parse(weights.subarray(8, 8 + Number(weights.readBigUInt64LE(0))).toString());
  expect(Object.keys(header)).toContain("0.weight");
  const document = JSON.parse((await exported(page, "experiment")).toString());
  expect(document.name).toBe((await lab.state()).experiment.name);
  const [head, ...rows] = (await exported(page, "metrics")).toString().trim().split("\n");
  expect(head!.split(",")).toEqual(expect.arrayContaining(["step", "loss", "validation_loss"]));
  expect(rows.length).toBeGreaterThan(20);
});

test("weights that are dropped go into the run, and what does not fit is named", async ({ page }) => {
  const lab = new Lab(page);
  const experiment = { version: 1, data: "moons", model: [{ linear: { out: 4 } }, "tanh", { linear: { out: "classes" } }] };
  await lab.open(link(experiment));
  const weights = await exported(page, "weights");
  await drop(page, [{ name: "w.safetensors", bytes: weights }]);
  await expect(page.getByTestId("notices")).toContainText('The weights of "w.safetensors" are loaded: 4 tensors');
  await page.goto("about:blank");
  await lab.open(link({ ...experiment, model: [{ linear: { out: 6 } }, "tanh", { linear: { out: "classes" } }] }));
  await drop(page, [{ name: "w.safetensors", bytes: weights }]);
  await expect(page.getByTestId("notices")).toContainText("3 do not fit");
  await expect(page.getByTestId("notices")).toContainText("0.weight");
  await drop(page, [{ name: "w.safetensors", bytes: "no weights at all" }]);
  await expect(page.getByTestId("notices")).toContainText("could not be loaded");
});

test("a file that is dropped anywhere is taken, and the page is not left", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await drop(page, [{ name: "mine.csv", bytes: table(60) }], ".network");
  await learns(lab, "cat");
  await expect(page.getByTestId("csv-columns")).toContainText("category");
  await drop(page, [{ name: "moons.json", bytes: '\ufeff{ "data": "moons", "model": [{ "linear": { "out": "classes" } }] }' }], ".drawer");
  await learns(lab, "moons");
  await drop(page, [{ name: "empty.csv", bytes: "" }]);
  await expect(page.getByTestId("notices")).toContainText('The file "empty.csv" is empty');
  // What would have left the page is stopped, file or not.
  const stopped = await page.evaluate(() => !document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: new DataTransfer() })));
  expect(stopped).toBe(true);
});

test("the same file chosen again after an edit is read again", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await page.getByTestId("own").click();
  const choose = (classes: string[]) => page.getByTestId("csv-file").setInputFiles({ name: "iris.csv", mimeType: "text/csv", buffer: Buffer.from(table(LARGE, classes)) });
  await choose(["cat", "dog"]);
  await expect(page.getByTestId("csv-spread")).toContainText(/cat.*dog/);
  const { run } = await lab.reach((state) => JSON.stringify(state.experiment.data).includes("iris.csv") && state.step > 0);
  await choose(["cat", "emu"]);
  await expect(page.getByTestId("csv-spread")).toContainText(/cat.*emu/);
  await expect.poll(async () => (await lab.state()).run).toBeGreaterThan(run);
  // The bundled flowers have the same name, and are something else.
  await page.locator("[data-source=iris]").click();
  await lab.reach((state) => "iris" in (state.experiment.data as object) && state.step > 0);
  await expect(page.locator(".network")).toContainText("setosa");
});

for (const name of ["iris.csv", "export 12:30.csv", `${"long".repeat(50)}.csv`]) {
  test(`a reload finds the table ${name.slice(0, 20)} and says so`, async ({ page }) => {
    const lab = new Lab(page);
    await lab.open();
    await drop(page, [{ name, bytes: table(LARGE) }]);
    await learns(lab, name);
    await page.waitForTimeout(300);
    await page.reload();
    await learns(lab, name);
    await expect(page.getByTestId("notices")).toContainText(`"${name}" was kept in this browser`);
    await expect(page.getByTestId("csv-spread")).toContainText(/cat.*dog/);
    expect(await labels(page)).not.toContain("spirals");
  });
}

test("a small table is shown by the form after a reload, and where its link is opened", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await page.getByTestId("own").click();
  await page.getByTestId("csv").fill(table(60));
  await learns(lab, "cat");
  await expect.poll(() => page.evaluate(() => location.hash.length)).toBeGreaterThan(100);
  for (const open of [() => page.reload(), () => page.goto("about:blank").then(() => page.goBack())]) {
    await open();
    await learns(lab, "cat");
    await expect(page.getByTestId("csv")).toHaveValue(table(60));
    await expect(page.getByTestId("csv-spread")).toContainText(/cat.*dog/);
    await expect(page.locator("#csv-target")).toHaveValue("kind");
  }
});

/** A table that does not compress below what an address may hold. */
const noise = (): string => {
  let seed = 1;
  const next = (): number => (seed = (seed * 48271) % 2147483647);
  return ["a,b,kind", ...Array.from({ length: 2500 }, () => `0.${next()},0.${next()},${["cat", "dog"][next() % 2]}`)].join("\n");
};

test("an experiment that is too long for an address is found by a reload, and never the run before", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await drop(page, [{ name: "noise.csv", bytes: noise() }]);
  await learns(lab, "cat");
  await expect.poll(() => page.evaluate(() => location.hash)).toMatch(/^#k=/);
  await page.waitForTimeout(300);
  const address = page.url();
  await page.reload();
  await learns(lab, "cat");
  await expect(page.getByTestId("notices")).toContainText("kept in this browser");
  await page.getByTestId("share").click();
  await expect(page.locator("#share")).toContainText("many programs cut links");
  const other = await (await page.context().browser()!.newContext()).newPage();
  await other.goto(address);
  await expect(other.getByRole("alert").first()).toContainText("Ask for it as a file");
  await other.close();
});

test("what the browser keeps is counted, and can be thrown away but for what is on screen", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  for (const name of ["one.csv", "two.csv"]) {
    await drop(page, [{ name, bytes: table(LARGE) }]);
    await learns(lab, name);
  }
  const kept = page.getByTestId("kept");
  await expect(kept).toContainText("this browser keeps 2 files: ");
  page.once("dialog", (dialog) => void dialog.accept());
  await page.getByTestId("forget").click();
  await expect(kept).toContainText("this browser keeps 1 file: ");
  await expect(page.getByTestId("forget")).toHaveCount(0);
  await page.reload();
  await learns(lab, "two.csv");
  await expect(page.getByTestId("notices")).toContainText('"two.csv" was kept in this browser');
});

test("where the browser keeps nothing the page says so and goes on", async ({ page }) => {
  const lab = new Lab(page);
  await page.addInitScript(() => Object.defineProperty(window, "indexedDB", { get: () => { throw new DOMException("no", "SecurityError"); } }));
  await lab.open();
  await drop(page, [{ name: "mine.csv", bytes: table(LARGE) }]);
  await learns(lab, "mine.csv");
  await expect(page.getByTestId("notices")).toContainText("keeps no data for the page");
  await page.reload();
  await lab.reach((state) => state.step > 0);
  await expect(page.getByRole("alert").first()).toContainText("mine.csv");
});

test("where the browser has no room left the page says so and goes on", async ({ page }) => {
  const lab = new Lab(page);
  await page.addInitScript(() => {
    IDBObjectStore.prototype.put = () => { throw new DOMException("full", "QuotaExceededError"); };
  });
  await lab.open();
  await drop(page, [{ name: "mine.csv", bytes: table(LARGE) }]);
  await learns(lab, "mine.csv");
  await expect(page.getByTestId("notices")).toContainText("no room left");
});

test("a table of ten megabytes holds the page up for no longer than 50 ms", { tag: "@alone" }, async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  const cells = Array.from({ length: 12 }, (_, i) => (i * 7919.37).toFixed(3));
  const text = [cells.map((_, i) => `column ${i}`).join(","), ...Array.from({ length: 100_000 }, (_, i) => `${i * 0.37},${cells.slice(1).join(",")}${i % 7}`)].join("\n");
  expect(text.length).toBeGreaterThan(9_000_000);
  // From the disk: what Playwright itself hands to the page is unpacked there.
  const file = test.info().outputPath("ten.csv");
  writeFileSync(file, text);
  await page.getByTestId("play").click();
  await lab.reach((state) => !state.running);
  await page.evaluate(() => {
    const tasks: number[] = ((window as never as { tasks: number[] }).tasks = []);
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => tasks.push(entry.duration))).observe({ entryTypes: ["longtask"] });
  });
  await page.getByTestId("own").click();
  await page.getByTestId("csv-file").setInputFiles(file);
  await expect(page.getByTestId("csv-columns").or(page.getByTestId("csv-error"))).toBeVisible({ timeout: 30_000 });
  const tasks = await page.evaluate(() => (window as never as { tasks: number[] }).tasks);
  expect(Math.max(0, ...tasks)).toBeLessThanOrEqual(50);
});
