// A tab that nobody looks at trains on, and shows everything when it is seen again.
import { type Browser, type CDPSession, expect, test } from "@playwright/test";
import config from "../playwright.config";
import { link, type State } from "../lab";

// The browser's own rules for hidden pages, which the test runner switches off for its pages.
const rules = ["--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding"];
const launch = config.use!.launchOptions!;
test.use({ launchOptions: { ...launch, args: [...launch.args!, "--enable-unsafe-webgpu"], ignoreDefaultArgs: rules } });
test.setTimeout(120_000);

/** What is on screen: the steps in the header, and sums over pixels. */
interface Shown {
  step: string;
  boundary: number;
  unit: number;
  wires: number;
  loss: number;
}

/** A tab that the test runner knows nothing of, because it keeps the pages that it knows visible for ever. */
class Tab {
  readonly errors: string[] = [];
  private asked = 0;
  private readonly answers = new Map<number, (answer: { result: unknown; error?: { message: string } }) => void>();

  private constructor(
    private readonly browser: CDPSession,
    private readonly targetId: string,
    private readonly sessionId: string,
  ) {
    browser.on("Target.receivedMessageFromTarget", ({ sessionId, message }) => {
      if (sessionId !== this.sessionId) return;
      const { id, method, params, ...answer } = JSON.parse(message);
      if (method === "Runtime.exceptionThrown") this.errors.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
      this.answers.get(id)?.(answer);
      this.answers.delete(id);
    });
  }

  /** Opens a tab, behind the one on screen if it is to be in the background. */
  static async open(browser: CDPSession, url: string, background = false): Promise<Tab> {
    const { targetId } = await browser.send("Target.createTarget", { url, background });
    const { sessionId } = await browser.send("Target.attachToTarget", { targetId, flatten: false });
    const tab = new Tab(browser, targetId, sessionId);
    await tab.send("Runtime.enable");
    return tab;
  }

  async show(): Promise<void> {
    await this.browser.send("Target.activateTarget", { targetId: this.targetId });
    await this.until(() => document.visibilityState === "visible");
  }

  async close(): Promise<void> {
    await this.browser.send("Target.closeTarget", { targetId: this.targetId });
  }

  async send(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.asked;
    const answer = new Promise<{ result: unknown; error?: { message: string } }>((resolve) => this.answers.set(id, resolve));
    await this.browser.send("Target.sendMessageToTarget", { sessionId: this.sessionId, message: JSON.stringify({ id, method, params }) });
    const { result, error } = await answer;
    if (error) throw new Error(error.message);
    return result;
  }

  /** Runs a function in the page; it sees nothing but its argument. */
  async run<T, G>(run: (given: G) => T, given?: G): Promise<T> {
    const expression = `(${run})(${JSON.stringify(given)})`;
    const { result } = (await this.send("Runtime.evaluate", { expression, returnByValue: true })) as { result: { value: T } };
    return result.value;
  }

  async until(accept: () => boolean): Promise<void> {
    await expect.poll(() => this.run(accept), { timeout: 60_000 }).toBe(true);
  }

  state(): Promise<State> {
    return this.run(() => window.downhill!.state());
  }

  shown(): Promise<Shown> {
    return this.run(() => {
      const sum = (selector: string): number => {
        const canvas = document.querySelector<HTMLCanvasElement>(selector)!;
        const pixels = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height).data;
        return pixels.reduce((sum, value, at) => (sum + value * (1 + (at % 997))) | 0, 0);
      };
      return {
        step: document.querySelector("[data-reading=step] .num")!.textContent!,
        boundary: sum("canvas.heat"),
        unit: sum(".col:nth-child(2) .cell canvas"),
        wires: sum("canvas.wires"),
        loss: sum("[data-chart=Loss] canvas"),
      };
    });
  }

  /** Everything on screen moves, and nothing has gone wrong. */
  async expectLive(): Promise<void> {
    const before = await this.shown();
    await expect
      .poll(async () => {
        const now = await this.shown();
        return (Object.keys(before) as (keyof Shown)[]).filter((part) => now[part] === before[part]);
      }, { message: "what stands still" })
      .toEqual([]);
    expect(this.errors).toEqual([]);
  }
}

// Runs for ever, and never comes to rest.
const endless = {
  version: 1,
  data: { spirals: { noise: 0.2 } },
  model: [{ linear: { out: 8 } }, "tanh", { linear: { out: "classes" } }],
  optimizer: { adam: { lr: 0.01 } },
};

const control = (browser: Browser): Promise<CDPSession> => browser.newBrowserCDPSession();

for (const backend of ["cpu", "gpu"] as const) {
  test(`a hidden tab trains on the ${backend}, and shows it all when it is seen again`, async ({ browser, baseURL }) => {
    const chrome = await control(browser);
    const tab = await Tab.open(chrome, `${baseURL}${link(endless)}`);
    await tab.until(() => (window.downhill?.state().step ?? 0) > 0);
    await tab.run((choice) => window.downhill!.choose(choice), backend);
    await expect.poll(async () => (await tab.state()).backend, { timeout: 60_000 }).toBe(backend);
    const other = await Tab.open(chrome, "about:blank");
    await tab.until(() => document.visibilityState === "hidden");
    const { step } = await tab.state();
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    expect((await tab.state()).step).toBeGreaterThan(step + 1000);
    expect(await tab.run(() => document.visibilityState)).toBe("hidden");
    await tab.show();
    await tab.expectLive();
    expect((await tab.state()).backend).toBe(backend);
    await Promise.all([tab.close(), other.close()]);
  });
}

test("a page that is loaded, loaded again and edited while nobody looks is whole when it is seen", async ({ browser, baseURL }) => {
  const chrome = await control(browser);
  const other = await Tab.open(chrome, "about:blank");
  const tab = await Tab.open(chrome, `${baseURL}${link(endless)}`, true);
  const trained = (): Promise<void> => tab.until(() => document.visibilityState === "hidden" && (window.downhill?.state().step ?? 0) > 500);
  await trained();
  await tab.show();
  await tab.expectLive();
  await other.show();
  await tab.send("Page.reload");
  await trained();
  await tab.run((text) => window.downhill!.load(text), JSON.stringify({ ...endless, data: { circles: { noise: 0.2 } } }));
  await tab.until(() => "circles" in (window.downhill!.state().experiment.data as object) && window.downhill!.state().step > 0);
  await tab.show();
  await tab.expectLive();
  await Promise.all([tab.close(), other.close()]);
});
