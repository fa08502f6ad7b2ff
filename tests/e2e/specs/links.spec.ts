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
