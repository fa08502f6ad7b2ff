// What all specs share: the page as a person with the console open sees it, and the types of `window.downhill`.
import { deflateRawSync } from "node:zlib";
import type { Page } from "@playwright/test";

export type Choice = "auto" | "cpu" | "gpu";

/** What trains, and what else could. */
export interface Backends {
  choice: Choice;
  active: "cpu" | "gpu";
  /** Measured steps per second. */
  cpuRate?: number;
  gpu: { state: "unasked" | "preparing" | "ready" | "unusable"; adapter?: string; api?: string; software?: boolean; rate?: number; why?: string };
  note: string;
  mayReturn: boolean;
}

/** The same steps on CPU and GPU. */
export interface Comparison {
  steps: number;
  adapter: string;
  agrees: boolean;
  loss: { cpu: number; gpu: number };
  rows: { tensor: string; shape: number[]; absolute: number; relative: number }[];
}

/** The training program, kernel by kernel. */
export interface Profile {
  backend: "cpu" | "gpu";
  device: string;
  method: string;
  peakBytes: number;
  peakFlops: number;
  rows: { kernel: string; layer: string; phase: string; nanoseconds: number; bytes: number; flops: number }[];
}

/** What `window.downhill.state()` returns. */
export interface State {
  step: number;
  epoch: number;
  loss: number;
  stepsPerSecond: number;
  running: boolean;
  run: number;
  /** Learning rate of the next step. */
  lr: number;
  backend: string;
  backends: Backends;
  /** Last evaluation: `train_loss`, `validation_loss`, and for classes `train_accuracy`, `validation_accuracy`. */
  metrics: Record<string, number>;
  /** How the run is doing, by the name of the rule that says so; none before the worker has said anything. */
  verdict: string | null;
  experiment: Record<string, unknown>;
}

declare global {
  interface Window {
    downhill?: {
      state(): State;
      /** Opens an experiment, given as JSON, afresh. */
      load(experiment: string): void;
      play(): void;
      pause(): void;
      /** Same initial weights, step 0. */
      reset(): void;
      pace(stepsPerSecond: number | "max"): void;
      choose(choice: Choice): void;
      compare(steps?: number): Promise<Comparison>;
      profile(): Promise<Profile>;
      bench(workload: string, seconds: number, backend?: "cpu" | "gpu"): Promise<{ stepsPerSec: number; notes: string }>;
      crashWorker(): void;
      loseDevice(): void;
    };
    downhillWorker?: { url: string; bindings: string; worker: Worker; messages: MessageEvent[] };
    downhillCrash(message: string): void;
  }
}

/** The fragment of a link to an experiment. */
export function link(experiment: unknown): string {
  const json = typeof experiment === "string" ? experiment : JSON.stringify(experiment);
  return `#c=1.${deflateRawSync(json).toString("base64url")}`;
}

/** Runs JavaScript in the worker before anything else. */
export async function inWorker(page: Page, patch: string): Promise<void> {
  await page.route("**/worker.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${patch}\n${await response.text()}` });
  });
}

/** Words that a chart wrote on its canvas when it was last drawn, and where. */
export interface Drawn {
  text: string;
  x: number;
  y: number;
}

/** What the chart of this title says on its canvas. Without a title: takes note from now on, so it has to come before the page is opened. */
export async function drawn(page: Page, chart?: string): Promise<Drawn[]> {
  if (chart) {
    return page.evaluate((title) => {
      const canvas = document.querySelector(`[data-chart="${title}"] canvas`);
      return (canvas as unknown as { drawn?: Drawn[] } | null)?.drawn ?? [];
    }, chart);
  }
  await page.addInitScript(() => {
    type Noted = HTMLCanvasElement & { drawn?: Drawn[] };
    const { fillText, clearRect } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.fillText = function (text: string, x: number, y: number, width?: number) {
      ((this.canvas as Noted).drawn ??= []).push({ text, x, y });
      return width === undefined ? fillText.call(this, text, x, y) : fillText.call(this, text, x, y, width);
    };
    CanvasRenderingContext2D.prototype.clearRect = function (x: number, y: number, width: number, height: number) {
      (this.canvas as Noted).drawn = [];
      return clearRect.call(this, x, y, width, height);
    };
  });
  return [];
}

/** The page as a person with the console open sees it. */
export class Lab {
  readonly errors: string[] = [];

  constructor(readonly page: Page) {
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && this.errors.push(message.text()));
  }

  /** Opens the page, or a link to an experiment, and waits until it trains. */
  async open(fragment = ""): Promise<void> {
    await this.page.goto(`./${fragment}`);
    await this.reach((state) => state.step > 0);
    // It trains before all of the page is there.
    await this.page.waitForFunction(() => document.querySelector("#drawer") && document.querySelector(".net.placed"));
  }

  async state(): Promise<State> {
    return this.page.evaluate(() => window.downhill!.state());
  }

  /** Waits until the state is as wanted, and gives that very state; `accept` runs in the page and sees nothing but its argument. */
  async reach(accept: (state: State) => boolean, timeout = 20_000): Promise<State> {
    const source = `(() => {
      const state = window.downhill?.state() ?? { step: 0, metrics: {} };
      return (${accept})(state) && state;
    })()`;
    const reached = await this.page.waitForFunction(source, null, { timeout, polling: 50 });
    return (await reached.jsonValue()) as State;
  }

  /** Panics inside the worker, as a bug would. */
  async crashWorker(): Promise<void> {
    await this.page.evaluate(() => window.downhill!.crashWorker());
  }
}
