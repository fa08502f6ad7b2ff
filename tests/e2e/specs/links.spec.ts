// Links, good and bad: what is wrong with one is said, and the page goes on.
import { expect, test } from "@playwright/test";
import { Lab, link } from "../lab";

const good = { version: 1, data: "moons", model: [{ linear: { out: 4 } }, "tanh", { linear: { out: "classes" } }] };

const bad: [string, string, RegExp][] = [
  ["is cut off", link(good).slice(0, -12), /link/i],
  ["is garbage", "#c=1.%%%", /link/i],
  ["comes from a newer version", link(good).replace("c=1.", "c=2."), /newer/i],
  ["asks for a billion units", link({ ...good, model: [{ linear: { out: 1e9 } }] }), /model\[0\]/],
  ["has an unknown field", link({ ...good, modle: [] }), /model/],
  ["has a wrong type", link({ ...good, seed: "seven" }), /seed/],
  ["is no experiment at all", link("[1, 2"), /JSON/],
];

for (const [what, fragment, sentence] of bad) {
  test(`a link that ${what} is answered with a sentence and the page goes on`, async ({ page }) => {
    const lab = new Lab(page);
    await lab.open(fragment);
    await expect(page.getByRole("alert").first()).toContainText(sentence);
    const { step } = await lab.state();
    await page.waitForFunction((before) => window.downhill!.state().step > before, step);
    await expect(page.locator("#crash")).toBeHidden();
  });
}

test("a link opens the experiment it holds", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link(good));
  expect((await lab.state()).experiment).toMatchObject({ data: { moons: {} } });
});

for (const [what, change] of [
  ["with a full stop behind it", (l: string) => `${l}.`],
  ["in brackets", (l: string) => `${l})`],
  ["with a tracker's words behind it", (l: string) => `${l}&utm_source=x`],
  ["with an escaped equals sign", (l: string) => l.replace("=", "%3D")],
  ["with a space inside", (l: string) => `${l.slice(0, 30)} ${l.slice(30)}`],
  ["with a character that cannot be seen behind it", (l: string) => `${l}\u200b`],
] as [string, (l: string) => string][]) {
  test(`a link ${what} opens all the same`, async ({ page }) => {
    const lab = new Lab(page);
    await lab.open(change(link(good)));
    expect((await lab.state()).experiment).toMatchObject({ data: { moons: {} } });
    await expect(page.getByRole("alert")).toHaveCount(0);
    // The address is clean again.
    await expect.poll(() => page.evaluate(() => /^#c=1\.[\w-]+$/.test(location.hash))).toBe(true);
  });
}

test("an example is found however its name is written", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open("#p=Digits");
  expect((await lab.state()).experiment).toHaveProperty("data.digits");
});

test("a link that cannot be read stays in the address until something else is opened", async ({ page }) => {
  const lab = new Lab(page);
  const fragment = link(good).slice(0, -12);
  await lab.open(fragment);
  const sentence = page.getByRole("alert").filter({ hasText: "could not be opened" });
  await expect(sentence).toBeVisible();
  const hash = () => page.evaluate(() => location.hash);
  expect(await hash()).toBe(fragment);
  await page.reload();
  await lab.reach((state) => state.step > 0);
  await expect(sentence).toBeVisible();
  expect(await hash()).toBe(fragment);
  await page.getByTestId("gallery").click();
  await page.locator("[data-preset=moons]").click();
  await expect.poll(hash).not.toBe(fragment);
  await lab.reach((state) => "moons" in (state.experiment.data as object));
});

test("a field that is given twice is noted", async ({ page }) => {
  await new Lab(page).open(link(JSON.stringify(good).replace("{", '{"seed":1,"seed":2,')));
  await expect(page.getByTestId("notices")).toContainText("`seed` is given more than once");
});

test("in a frame that may start no worker the page trains in its own thread", async ({ page, baseURL }) => {
  await page.route("**/framed", (route) => route.fulfill({ contentType: "text/html", body: `<iframe sandbox="allow-scripts" src="${baseURL}" style="width:900px;height:600px"></iframe>` }));
  await page.goto("./framed");
  const step = () => page.frames()[1]!.evaluate(() => window.downhill?.state().step ?? 0);
  await expect.poll(step, { timeout: 20_000 }).toBeGreaterThan(30);
  expect(page.workers()).toHaveLength(0);
});

test("a worker that does not come is not waited for: the page trains by itself", async ({ page }) => {
  await page.route("**/worker.js", (route) => route.abort());
  const lab = new Lab(page);
  await lab.open("");
  await lab.reach((state) => state.step > 30);
  await expect(page.getByRole("alert")).toHaveCount(0);
});

test("a link to a table that is not here is answered with a sentence, and the first example runs", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link({ ...good, data: { csv: { file: "mine.csv", target: "y" } } }));
  await expect(page.getByRole("alert").first()).toContainText("mine.csv");
});

test("data that cannot be fetched leaves the run as it is, and other data can be chosen", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link(good));
  await page.route("**/data/**", (route) => route.abort());
  await page.evaluate((text) => window.downhill!.load(text), JSON.stringify({ ...good, data: "digits" }));
  await expect(page.getByRole("alert").first()).toContainText("could not be fetched");
  const { step, run } = await lab.state();
  await page.waitForFunction((before) => window.downhill!.state().step > before, step);
  expect((await lab.state()).run).toBe(run);
  await page.evaluate((text) => window.downhill!.load(text), JSON.stringify({ ...good, data: "circles" }));
  await lab.reach((state) => "circles" in (state.experiment.data as object) && state.step > 0);
});

test("a learning rate that makes the loss run away stops the run and names what went first", async ({ page }) => {
  const lab = new Lab(page);
  const experiment = { ...good, loss: "mse", data: "sine", model: [{ linear: { out: 8 } }, "relu", { linear: { out: 1 } }], optimizer: { sgd: { lr: 1000 } }, view: { pace: "max" } };
  await page.goto(`./${link(experiment)}`);
  await expect(page.getByRole("alert").first()).toContainText(/#\d|loss/);
  expect((await lab.state()).running).toBe(false);
});

test("a link carries the weights of now, and whoever opens it sees what they predict", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link({ ...good, training: { steps: 400 }, view: { pace: "max" } }));
  const trained = await lab.reach((state) => !state.running && state.step >= 400);
  await page.getByTestId("share").click();
  await page.getByTestId("share-weights").check();
  const field = page.getByTestId("link");
  await expect(field).toHaveValue(/#c=1\.[\w-]+\.w1\.[\w-]+$/);
  await expect(page.getByRole("dialog", { name: "Share" }).getByRole("status")).toContainText(/with (8|16) bits each: no prediction for \d+ samples moves by more than 0/);
  const url = await field.inputValue();
  await page.goto("about:blank");
  await page.goto(url);
  await expect(page.getByText(/The weights of "link" are loaded: 4 tensors/)).toBeVisible();
  const opened = await lab.reach((state) => Number.isFinite(state.metrics.validation_loss));
  expect(opened).toMatchObject({ step: 0, running: false });
  expect(Math.abs(opened.metrics.validation_loss! - trained.metrics.validation_loss!)).toBeLessThan(0.05);
  // A reload brings the same again.
  expect(page.url()).toBe(url);
  await page.goto(url.slice(0, -30));
  await page.reload();
  await expect(page.getByText(/The weights of "link" could not be loaded. The weights in the link are damaged/)).toBeVisible();
});

test("weights in a link go to the run of that link, though another experiment was on its way when it was opened", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link({ ...good, training: { steps: 400 }, view: { pace: "max" } }));
  const trained = await lab.reach((state) => !state.running && state.step >= 400);
  await page.getByTestId("share").click();
  await page.getByTestId("share-weights").check();
  const field = page.getByTestId("link");
  await expect(field).toHaveValue(/\.w1\.[\w-]+$/);
  const { hash } = new URL(await field.inputValue());
  await page.goto("about:blank");
  await lab.open(link({ ...good, data: "circles" }));
  // Another one waits for its file.
  let arrive = (): void => {};
  const held = new Promise<void>((resolve) => (arrive = resolve));
  await page.route("**/data/**", async (route) => {
    await held;
    await route.continue();
  });
  const asked = page.waitForRequest("**/data/**");
  await page.evaluate((text) => window.downhill!.load(text), JSON.stringify({ ...good, data: "iris" }));
  await asked;
  await page.evaluate((hash) => (location.hash = hash), hash);
  arrive();
  await expect(page.getByText(/The weights of "link" are loaded: 4 tensors/)).toBeVisible();
  const opened = await lab.reach((state) => "moons" in (state.experiment.data as object) && Number.isFinite(state.metrics.validation_loss));
  expect(opened).toMatchObject({ step: 0, running: false });
  // The weights are evaluated once they are there.
  await expect.poll(async () => Math.abs((await lab.state()).metrics.validation_loss! - trained.metrics.validation_loss!)).toBeLessThan(0.05);
});
