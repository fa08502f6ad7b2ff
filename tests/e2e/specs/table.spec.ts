// A table of one's own: its columns, what becomes of them, and rows that open.
import { expect, test, type Page } from "@playwright/test";
import { Lab } from "../lab";

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

test("a table that makes way for points is asked about first", async ({ page }) => {
  const lab = await open(page, ["east,north,kind", ...Array.from({ length: 40 }, (_, i) => `${Math.sin(i * 1.7) * 3},${Math.cos(i * 2.3) * 5},${i % 2 ? "cat" : "dog"}`)].join("\n"));
  const pen = page.locator(".pen").first();
  if (!(await pen.isVisible())) await page.locator("[data-output=Boundary]").click();
  page.once("dialog", (dialog) => void dialog.dismiss());
  await pen.click();
  expect((await lab.state()).experiment.data).toHaveProperty("csv");
  page.once("dialog", (dialog) => void dialog.accept());
  await pen.click();
  await lab.reach((state) => "points" in (state.experiment.data as object));
  await expect(pen).toHaveAttribute("aria-pressed", "true");
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
