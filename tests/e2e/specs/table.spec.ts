// A table of one's own: its columns, what becomes of them, and rows that open.
import { expect, test, type Page } from "@playwright/test";
import { Lab, link } from "../lab";

/** Flats whose rent follows from their area; every ninth has no year, and the last column alone would give the rent away. */
const FLATS = [
  "district,area,built,listed,euros,rent",
  ...Array.from({ length: 180 }, (_, i) => {
    const [area, district] = [40 + ((i * 7) % 90), ["Harbour", "Hill", "Park"][i % 3]!];
    const [built, listed] = [i % 9 ? 1900 + ((i * 13) % 120) : "", `2024-${String(1 + (i % 12)).padStart(2, "0")}-11`];
    const rent = 300 + area * 9 + (i % 3) * 120;
    return `${district},${area},${built},${listed},${rent},${rent}`;
  }),
].join("\n");

async function open(page: Page, text = FLATS): Promise<Lab> {
  const lab = new Lab(page);
  await lab.open();
  await page.getByTestId("own").click();
  await page.getByTestId("csv").fill(text);
  await lab.reach((state) => "csv" in (state.experiment.data as object) && state.step > 0);
  return lab;
}

const column = (page: Page, name: string) => page.locator(`.columns [data-name="${name}"]`);
const columns = (experiment: Record<string, unknown>): unknown => (experiment.data as { csv: { columns?: unknown } }).csv.columns;

test("every column says what it is and what stands in for its gaps, and no row is lost", async ({ page }) => {
  await open(page);
  await expect(page.getByTestId("csv-used")).toHaveText("All 180 rows are used");
  await expect(column(page, "district").getByRole("combobox").first()).toHaveValue("category");
  await expect(column(page, "listed").getByRole("combobox").first()).toHaveValue("date");
  await expect(column(page, "built")).toContainText("11.1 % missing");
  await expect(column(page, "built").getByRole("combobox").nth(1)).toHaveValue("median");
  // A column that gives the target away is named.
  await expect(column(page, "euros")).toContainText("rent");
});

test("what is decided about a column is in the experiment, and the rows that it costs are counted", async ({ page }) => {
  const lab = await open(page);
  await column(page, "euros").getByRole("combobox").first().selectOption("out");
  await expect(column(page, "euros")).toHaveClass(/unused/);
  await column(page, "built").getByRole("combobox").nth(1).selectOption("drop");
  await expect(page.getByTestId("csv-used")).toHaveText("160 of 180 rows are used");
  const decided = await lab.reach((state) => JSON.stringify(state.experiment.data).includes('"drop"'));
  expect(columns(decided.experiment)).toEqual({ euros: { use: false }, built: { missing: "drop" } });
  // One click brings the rows back.
  await page.locator(".rows-used").getByRole("button", { name: "fill in" }).click();
  await expect(page.getByTestId("csv-used")).toHaveText("All 180 rows are used");
  const back = await lab.reach((state) => !JSON.stringify(state.experiment.data).includes('"drop"'));
  expect(columns(back.experiment)).toEqual({ euros: { use: false } });
});

test("a row that opens has its own number, and its parts add up to what is said", async ({ page }) => {
  const lab = await open(page);
  await lab.reach((state) => state.step > 300);
  await page.getByTestId("play").click();
  await lab.reach((state) => !state.running);
  await page.getByTestId("row").first().click();
  const parts = page.getByTestId("parts");
  await expect(parts).toBeVisible();
  const number = (text: string): number => Number(text.replace(/[,+]/g, "").replace("−", "-"));
  const [start, ...rest] = (await parts.locator("td:last-child").allTextContents()).map(number);
  const said = rest.pop()!;
  expect(Math.abs(rest.reduce((sum, part) => sum + part, start!) - said)).toBeLessThan(0.02 * Math.abs(said) + rest.length);
  // The row of the table has these very values.
  const row = Number(await page.getByTestId("row").first().textContent());
  const cells = FLATS.split("\n")[row]!.split(",");
  await expect(parts.getByRole("row", { name: /^area / })).toContainText(cells[1]!);
  await expect(parts).toContainText(`the table says ${cells[5]}`);
  // And the network shows them by column.
  await expect(page.getByRole("group", { name: `area ${cells[1]}` })).toBeVisible();
});

test("a row of one's own begins as the row that is open, and what cannot be read is told", async ({ page }) => {
  const lab = await open(page);
  await lab.reach((state) => state.step > 300);
  await page.getByTestId("play").click();
  await lab.reach((state) => !state.running);
  await page.getByTestId("row").first().click();
  const last = page.getByTestId("parts").locator("tr.sum td").last();
  await expect(last).toHaveText(/\d/);
  await page.getByText("Try a row of your own").click();
  const said = page.getByTestId("try-answer");
  await expect(said).toHaveText((await last.textContent())!);
  const rent = Number((await said.textContent())!.replaceAll(",", ""));
  const area = page.locator(".try").getByLabel("area");
  await area.fill(String(Number(await area.inputValue()) + 30));
  await area.press("Tab");
  await expect.poll(async () => Number((await said.textContent())!.replaceAll(",", ""))).toBeGreaterThan(rent + 30);
  // A gap is filled as the column's gaps are.
  await page.locator(".try").getByLabel("built").fill("");
  await page.locator(".try").getByLabel("built").press("Tab");
  await expect(said).toHaveText(/\d/);
  await area.fill("large");
  await area.press("Tab");
  await expect(page.getByRole("alert").first()).toContainText("large");
  await expect(said).toHaveText("–");
});

const PLANE = ["east,north,kind", ...Array.from({ length: 40 }, (_, i) => `${Math.sin(i * 1.7) * 3},${Math.cos(i * 2.3) * 5},${i % 2 ? "cat" : "dog"}`)];

/** The pens, on screen. */
async function pens(page: Page) {
  const pens = page.locator(".pen");
  if (!(await pens.first().isVisible())) await page.locator("[data-output=Boundary]").click();
  return pens;
}

test("a table that makes way for points is asked about first, keeps its names, and comes back with its run", async ({ page }) => {
  const lab = await open(page, PLANE.join("\n"));
  await lab.reach((state) => state.step > 100);
  await page.getByTestId("play").click();
  const { step } = await lab.reach((state) => !state.running);
  const pen = (await pens(page)).first();
  await expect(pen).toHaveAccessibleName("Draw points of class cat");
  page.once("dialog", (dialog) => void dialog.dismiss());
  await pen.click();
  expect((await lab.state()).experiment.data).toHaveProperty("csv");
  page.once("dialog", (dialog) => void dialog.accept());
  await pen.click();
  const { experiment } = await lab.reach((state) => "points" in (state.experiment.data as object));
  await expect(pen).toHaveAttribute("aria-pressed", "true");
  expect((experiment.data as { points: { labels: string[] } }).points.labels).toEqual(["cat", "dog"]);
  await expect(pen).toHaveAccessibleName("Draw points of class cat");
  await page.getByTestId("undo-drawing").click();
  const back = await lab.reach((state) => "csv" in (state.experiment.data as object) && state.step > 0);
  expect([back.step, back.running]).toEqual([step, false]);
  await expect(page.locator("#csv-target")).toHaveValue("kind");
  await expect(page.getByTestId("undo-drawing")).toHaveCount(0);
});

test("where the plane cannot hold the rows, or a drawing their classes, the table stays and a sentence says why", async ({ page }) => {
  const lab = await open(page, [...PLANE, "1000000000000,0.284,cat"].join("\n"));
  await (await pens(page)).first().click();
  await expect(page.getByTestId("notices")).toContainText("1 point of the data lies outside of what can be drawn on, from −10 to 10, so the data stay as they are.");
  expect((await lab.state()).experiment.data).toHaveProperty("csv");
  await page.getByTestId("csv").fill(["a,b,kind", ...Array.from({ length: 160 }, (_, i) => `${Math.sin(i)},${Math.cos(i)},k${i % 8}`)].join("\n"));
  await lab.reach((state) => JSON.stringify(state.experiment.data).includes("k7") && state.step > 0);
  // What was said of the table before is no longer said.
  await expect(page.getByTestId("notices")).not.toContainText("outside");
  await (await pens(page)).first().click();
  await expect(page.getByTestId("notices")).toContainText("8 classes and a drawing has up to 6");
});

test("a point of a third class makes the loss fit, and undo brings back the data and the run before", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link({ version: 1, data: "circles", loss: "bce_with_logits", model: [{ linear: { out: 6 } }, "tanh", { linear: { out: "classes" } }], view: { pace: 300 } }));
  await lab.reach((state) => state.step > 50);
  await page.getByTestId("play").click();
  const { step } = await lab.reach((state) => !state.running);
  const third = (await pens(page)).nth(2);
  await third.click();
  await expect(third).toHaveAttribute("aria-pressed", "true");
  await page.locator("canvas.dots").click();
  const drawn = await lab.reach((state) => JSON.stringify(state.experiment.data).includes(",2]"));
  expect(drawn.experiment.loss).toHaveProperty("cross_entropy");
  await expect(page.getByTestId("problem")).toHaveCount(0);
  await page.getByTestId("undo-drawing").click();
  const back = await lab.reach((state) => "circles" in (state.experiment.data as object) && state.step > 0);
  expect([back.step, Object.keys(back.experiment.loss as object)]).toEqual([step, ["bce_with_logits"]]);
});

test("a loss that does not go with the classes is refused in the page's words", async ({ page }) => {
  await new Lab(page).open(link({ version: 1, data: "iris", model: [{ linear: { out: "classes" } }] }));
  await page.getByTestId("training").click();
  await page.locator("#choose-loss").selectOption("bce_with_logits");
  const said = page.getByRole("alert").filter({ hasText: "two classes" }).first();
  await expect(said).toContainText("Binary cross-entropy tells two classes apart, but the data has 3. Use Cross-entropy.");
});

test("a person can say what the first row is, what stands between values, and what a number is asked as", async ({ page }) => {
  const rows = Array.from({ length: 60 }, (_, i) => `${(i * 7) % 23},${(i * 5) % 17},${i % 4}`);
  const lab = await open(page, ["2019,2020,2021", ...rows].join("\n"));
  const data = () => lab.state().then((state) => (state.experiment.data as { csv: Record<string, unknown> }).csv);
  const how = page.getByTestId("csv-reading-of");
  await how.locator("summary").click();
  for (const [word, name] of [["names", "2019"], ["data", "column 1"], ["names", "2019"]] as const) {
    await page.locator("#csv-header").selectOption(word);
    await expect(column(page, name)).toBeVisible();
    await expect.poll(async () => (await data()).header).toBe(word);
    if (!(await page.locator("#csv-header").isVisible())) await how.locator("summary").click();
  }
  // A sign that is not there leaves one column, which says nothing of another: the table stays as it was read.
  await page.locator("#csv-delimiter").selectOption("pipe");
  await expect(page.getByTestId("notices").getByRole("alert")).toBeVisible();
  await expect(column(page, "2019")).toBeVisible();
  await expect(page.locator("#csv-task")).toHaveValue("classification");
  await page.locator("#csv-task").selectOption("regression");
  await lab.reach((state) => "mse" in (state.experiment.loss as object) && state.step > 0);
  expect((await data()).task).toBe("regression");
});

test("where one class is rare, guessing the other is shown for what it is", async ({ page }) => {
  const rows = Array.from({ length: 300 }, (_, i) => `${(i * 7) % 31},${(i * 3) % 17},${i % 50 === 7 ? "sick" : "well"}`);
  const lab = await open(page, ["length,weight,state", ...rows, "1,2"].join("\n"));
  await expect(page.getByTestId("csv-findings")).toContainText("98 % of the rows are \"well\"");
  await lab.reach((state) => (state.metrics.validation_accuracy ?? 0) > 0.9);
  await expect(page.getByTestId("balanced-accuracy")).toContainText("%");
  await page.locator("[data-output=Confusion]").click();
  await expect(page.locator(".confusion .recall")).toHaveCount(2);
  // What could not be read stands with the table, not over the page.
  const [trouble, panel] = await Promise.all([page.locator(".unread").boundingBox(), page.locator(".table-of-own").boundingBox()]);
  expect(trouble!.y).toBeGreaterThanOrEqual(panel!.y);
  expect(trouble!.y + trouble!.height).toBeLessThanOrEqual(panel!.y + panel!.height + 1);
  await page.getByRole("button", { name: "Weigh the classes" }).click();
  await lab.reach((state) => JSON.stringify(state.experiment.loss).includes("balanced"));
});
