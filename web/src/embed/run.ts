// A run for scripts: what an article's sliders and words drive and follow. Promises reject with the sentences that the page shows.
import type { ExperimentDocument, Preset } from "./types";
import { crashes, type Generated, type GenerateOptions, type Handle, load, type Probed, type Readings, type Shell, type State } from "./engine";

/** An experiment document, as an object or as JSON; or a link to one, or the name of a preset. */
export type Experiment = ExperimentDocument | Preset | (string & {});

export interface Options {
  /** What trains. */
  backend?: "auto" | "cpu" | "gpu";
  /** Ends the run. */
  signal?: AbortSignal;
  /** Steps after which it rests, in place of the experiment's. */
  steps?: number;
  /** Steps per second, or "max". */
  pace?: number | "max";
}

export interface Events {
  /** It has taken up the experiment. */
  ready: undefined;
  /** At most once per animation frame. */
  metrics: Readings;
  /** There is more to be drawn. */
  frame: undefined;
  /** The steps are done. */
  done: Readings;
  /** In a sentence. */
  error: { message: string };
}

type Listener<K extends keyof Events> = (detail: Events[K]) => void;

/** Looks, a hundredth of a second apart, after which a run that does not go on is taken for paused. */
const RESTS = 50;

/** A hundredth of a second. */
const soon = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 10));

/** A name, for the wasm takes nothing else for one. */
function named(path: unknown): string {
  if (typeof path === "string" && path) return path;
  throw new Error(`A field is named by a text such as "lr", not by ${String(path)}.`);
}

/** A run, which begins paused. */
export class Run {
  #handle: Handle | undefined;
  /** Steps that were asked for come one after the other. */
  #steps: Promise<void> = Promise.resolve();
  readonly #listeners = new Map<string, Set<(detail: never) => void>>();
  #crashed = (_: string): void => {};

  /** Hears the wasm. @internal */
  tell(name: string, detail: unknown): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(detail as never);
      } catch (error) {
        // What a listener throws is the page's own affair, and no reason to leave out the others.
        reportError(error);
      }
    }
  }

  /** Takes up what the wasm gave, and what hears that it has crashed. @internal */
  adopt(handle: Handle, crashed: (message: string) => void): this {
    this.#handle = handle;
    this.#crashed = crashed;
    crashes.add(crashed);
    return this;
  }

  get #run(): Handle {
    if (!this.#handle) throw new Error("The run was disposed of.");
    return this.#handle;
  }

  /** Trains, until paused or until its steps are done. */
  start(): void {
    this.#run.play();
  }

  pause(): void {
    this.#run.pause();
  }

  /** Takes `n` steps, then rests; fulfilled when they are taken, after those that were asked for before. */
  async step(n = 1): Promise<void> {
    if (!(Number.isSafeInteger(n) && n > 0)) throw new Error(`\`step\` wants a whole number of steps above zero, not ${String(n)}.`);
    const taken = this.#steps.then(() => this.#take(n));
    this.#steps = taken.catch(() => {});
    return taken;
  }

  async #take(n: number): Promise<void> {
    const { step: first } = this.#run.readings();
    await this.#run.step(n);
    // Readings come a few times a second, in a hidden page too.
    let [seen, rests] = [first, 0];
    while (this.#run.readings().step < first + n) {
      const { problem, running, step, loss } = this.#run.state();
      if (problem) throw new Error(problem);
      if (step < seen) throw new Error(`The run began anew after ${seen - first} of ${n} steps.`);
      rests = running || step > seen ? 0 : rests + 1;
      seen = step;
      if (rests > RESTS) {
        throw new Error(Number.isFinite(loss) ? `The run was paused after ${step - first} of ${n} steps.` : "The run stopped: its loss is no finite number any more.");
      }
      await soon();
    }
  }

  /** Same initial weights, step 0. */
  reset(): void {
    this.#run.reset();
  }

  /**
   * Changes a field: "lr", "optimizer.lr" or "optimizer.adam.lr" are the same one. Fulfilled when the run has taken it up; what cannot be is taken
   * back, and the sentence says why.
   */
  async set(path: string, value: unknown): Promise<void> {
    this.#run.set(named(path), value);
    let said;
    while ((said = this.#run.settled()) === null) await soon();
    if (said) throw new Error(said);
  }

  /** The value of a field, default or not. */
  get(path: string): unknown {
    return this.#run.get(named(path));
  }

  state(): State {
    return this.#run.state();
  }

  /** What the network says of one sample: a probability for each class, or values in the units of the data. */
  async predict(sample: number[] | number[][]): Promise<Float32Array> {
    const { tensors } = await this.#run.probe(["output"], sample);
    return tensors.output!.data;
  }

  /** Tensors by name ("output", "model[2]", "0.weight") for "train", "validation", one sample, or without an input the state alone. */
  async probe(names: string[], input?: "train" | "validation" | number[] | number[][]): Promise<Probed> {
    return this.#run.probe(names, input);
  }

  /** Continues a text of data that is one, token by token; a temperature of 0 always takes the likeliest. */
  async generate(wish: string | GenerateOptions = {}): Promise<Generated> {
    return this.#run.generate(wish);
  }

  /** A copy of weights, optimizer and step, as a safetensors file. */
  async snapshot(): Promise<Uint8Array> {
    return this.#run.snapshot();
  }

  /** Goes on from a copy. */
  async restore(bytes: Uint8Array): Promise<void> {
    await this.#run.restore(bytes);
  }

  /** A link that opens the Lab with the experiment as it stands. */
  link(): string {
    return this.#run.link();
  }

  /** Listens; what it gives stops that. */
  on<K extends keyof Events>(name: K, listener: Listener<K>): () => void {
    const all = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, all.add(listener));
    return () => all.delete(listener);
  }

  /** Ends the run: worker, device and memory are free again. */
  dispose(): void {
    crashes.delete(this.#crashed);
    const handle = this.#handle;
    this.#handle = undefined;
    try {
      handle?.dispose();
    } catch {
      // A wasm that has crashed cannot put anything in order any more.
    }
  }
}

/** The text of an experiment, as the wasm reads it. */
export const written = (experiment: Experiment): string => (typeof experiment === "object" ? JSON.stringify(experiment) : String(experiment ?? ""));

/** Begins a run in `host`, which stays empty without `show`. */
export async function begin(host: HTMLElement, shell: Omit<Shell, "tell">, hear?: (name: string, detail: unknown) => void): Promise<{ run: Run; handle: Handle }> {
  const engine = await load();
  const run = new Run();
  const tell = (name: string, detail: unknown): void => {
    run.tell(name, detail);
    hear?.(name, detail);
  };
  const handle = engine.begin(host, { ...shell, tell });
  const crashed = (message: string): void => {
    run.tell("error", { message });
    hear?.("crashed", { message });
  };
  return { run: run.adopt(handle, crashed), handle };
}

/** A run without anything to see, paused at step 0. Rejects when the experiment cannot be read or run. */
export async function createRun(experiment: Experiment, { backend, signal, steps, pace }: Options = {}): Promise<Run> {
  signal?.throwIfAborted();
  if (!globalThis.document) throw new Error("There is no page to train in: call `createRun` in the browser, not on the server.");
  const shell = { experiment: written(experiment), play: false, ...(backend && { backend }), ...(steps !== undefined && { steps }), ...(pace !== undefined && { pace }) };
  return new Promise((resolve, reject) => {
    let made: Run | undefined;
    let heard = "";
    const settle = (name: string, detail?: unknown): void => {
      if (!made) {
        heard ||= name === "ready" ? name : (detail as { message: string }).message;
      } else if (name === "ready") {
        heard = name;
        resolve(made);
      } else if (heard !== "ready") {
        // What goes wrong with a run that is there is told to those who listen to it.
        made.dispose();
        reject(new Error((detail as { message: string }).message));
      }
    };
    const hear = (name: string, detail: unknown): void => {
      if (name === "ready" || name === "error") settle(name, detail);
    };
    begin(document.createElement("div"), shell, hear).then(({ run }) => {
      made = run;
      const aborted = (): void => {
        run.dispose();
        reject(signal!.reason);
      };
      signal?.addEventListener("abort", aborted);
      if (signal?.aborted) aborted();
      else if (heard === "ready") settle("ready");
      else if (heard) settle("error", { message: heard });
    }, reject);
  });
}
