// The chart glue between the page's wasm and uPlot: one class, fed with finished curves. Nothing here may throw: the wasm imports this file,
// and a page without charts still trains.
import type uPlot from "uplot";
import { alone, labels } from "./ticks";

interface Curve {
  label: string;
  /** Name of a colour of the style sheet: `--pos`. */
  ink: string;
  /** Which pattern of dashes: 0 is a solid line. */
  dash: number;
  /** Whether it goes on at its end, which a dot marks. */
  live: boolean;
  width: number;
  x: Float64Array;
  y: Float64Array;
}

interface Mark {
  step: number;
  label: string;
}

/** Of what a `dash` counts: dots for levels and what is ahead, then patterns that tell layers of one colour apart. */
const DASHES = [undefined, [3, 3], [8, 3], [8, 3, 2, 3], [1, 4]];

/** Where colours do not tell curves apart, dashes do. The worker loads this file too, and has no such thing as a screen. */
const dashed = (): boolean => matchMedia("(forced-colors: active), (prefers-contrast: more)").matches;
const BEFORE = "run before";
const SHAPES: Record<string, number[]> = { train: [], rate: [], validation: [8, 4], [BEFORE]: [1, 3] };
/** So many times the highest of this run is shown of the run before: one that ran away would leave nothing to see of this one. */
const TALLER = 3;
const LAYERS = [[], [8, 4], [2, 2], [12, 3, 3, 3], [5, 2], [1, 4]];

/** Distances between two ticks of steps. There is no half step. */
const STEPS = [...Array(13).keys()].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power));

/** The library, once it is there. While it loads it asks for number formats of the browser's language; where that is no language (`C`, on a
 *  system without a locale), English stands in for it. */
let Plot: typeof uPlot | null = null;
let broken = "";
const charts = new Set<TimeChart>();
const load = async (): Promise<void> => {
  // In a task of its own: it prepares formats of numbers and dates, which takes as long as all the rest of this file.
  await new Promise((resolve) => setTimeout(resolve));
  try {
    new Intl.NumberFormat(navigator.language);
  } catch {
    Object.defineProperty(navigator, "language", { value: "en", configurable: true });
  }
  Plot = (await import("uplot")).default;
};
load()
  .catch((error: unknown) => (broken = String(error)))
  .finally(() => charts.forEach((chart) => chart.again()));

/** As much of a text as fits. */
function fitted(ctx: CanvasRenderingContext2D, text: string, room: number): string {
  if (ctx.measureText(text).width <= room) return text;
  let length = text.length - 1;
  while (length > 0 && ctx.measureText(`${text.slice(0, length).trimEnd()}…`).width > room) length--;
  return `${text.slice(0, length).trimEnd()}…`;
}

/** What the charts of a page, or of one widget in it, have in common: the steps that they show, none while they show all there are. */
interface Group {
  key: string;
  view: [number, number] | null;
}
const groups = new WeakMap<Node, Group>();
let made = 0;

/** A chart of curves over steps: zoom by dragging, a double click shows all; all charts show the same steps, and their cursors move together. */
export class TimeChart {
  private plot: uPlot | null = null;
  private shape = "";
  private marks: Mark[] = [];
  private curves: Curve[] = [];
  private log = false;
  private bounds: [number | null, number | null] = [null, null];
  private end = 1;
  private readonly tip: HTMLDivElement;
  private readonly observer: ResizeObserver;

  constructor(private readonly host: HTMLElement) {
    this.tip = document.createElement("div");
    this.tip.className = "chart-tip num";
    this.tip.hidden = true;
    this.tip.translate = false;
    host.append(this.tip);
    this.observer = new ResizeObserver(() => this.guard(() => this.plot?.setSize(this.size())));
    this.observer.observe(host);
    charts.add(this);
  }

  /** Shows curves and marks up to the step `end`; `low` and `high` hold the ends of the y axis. */
  show(curves: Curve[], marks: Mark[], log: boolean, end: number, low?: number, high?: number): void {
    [this.curves, this.marks, this.log, this.end] = [curves, marks, log, end];
    this.bounds = [low ?? null, high ?? null];
    const group = this.group();
    if (group.view && group.view[0] >= end) group.view = null;
    this.again();
  }

  /** Draws what was last shown. */
  again(): void {
    this.guard(() => this.draw());
  }

  /** Takes the chart off the page. */
  destroy(): void {
    charts.delete(this);
    this.observer.disconnect();
    this.guard(() => this.plot?.destroy());
    this.tip.remove();
  }

  /** Runs what may throw; a chart that cannot be drawn says so in its place. */
  private guard(run: () => void): void {
    try {
      if (!broken) return run();
    } catch (error) {
      broken = String(error);
    }
    this.tip.textContent = `The charts cannot be drawn in this browser; training goes on.\n(${broken})`;
    this.tip.hidden = false;
  }

  private draw(): void {
    if (!Plot) return;
    const data = this.join(Plot, this.curves);
    const theme = this.host.closest<HTMLElement>("[data-theme]")?.dataset.theme;
    const shape = JSON.stringify([this.log, theme, this.curves.map((c) => [c.label, c.ink, c.dash])]);
    if (shape === this.shape && this.plot) return this.plot.setData(data, true);
    this.shape = shape;
    this.plot?.destroy();
    this.plot = new Plot(this.options(Plot), data, this.host);
  }

  private group(): Group {
    const root = this.host.getRootNode();
    const group = groups.get(root) ?? { key: `steps ${made++}`, view: null };
    groups.set(root, group);
    return group;
  }

  /** A colour of the style sheet; the diverging scale is kept as bare numbers. */
  private colour(name: string): string {
    const value = getComputedStyle(this.host).getPropertyValue(name).trim();
    return /^[\d\s.]+$/.test(value) ? `rgb(${value})` : value;
  }

  private size(): { width: number; height: number } {
    return { width: Math.max(40, this.host.clientWidth), height: Math.max(40, this.host.clientHeight) };
  }

  /** All curves on one axis of steps. What is not a number is a gap to uPlot and a mark to us; a logarithm has no place for zero. */
  private join(plot: typeof uPlot, curves: Curve[]): uPlot.AlignedData {
    if (curves.length === 0) return [[0], []] as unknown as uPlot.AlignedData;
    const tables = curves.map((c): uPlot.AlignedData => {
      const y = Array.from(c.y, (v) => (Number.isFinite(v) && !(this.log && v <= 0) ? v : null));
      return [Array.from(c.x), y] as uPlot.AlignedData;
    });
    return plot.join(tables);
  }

  private options(plot: typeof uPlot): uPlot.Options {
    const ink = this.colour("--ink-3");
    const grid = { stroke: this.colour("--line"), width: 1 };
    const font = `10px ${this.colour("--mono")}`;
    const wide = (_: uPlot, words: string[] | null): number => Math.max(44, 12 + 6.1 * Math.max(0, ...(words ?? []).map((w) => w.length)));
    const moves = (type: string): boolean => type === "mousemove" || type === "mouseleave";
    const axis = { stroke: ink, font, grid, ticks: { show: false }, gap: 4 };
    const spread = (_: uPlot, min: number | null, max: number | null): [number, number] => {
      const [low, high] = this.bounds;
      const from = low ?? min ?? 0;
      const own = this.curves.filter((c) => c.label !== BEFORE).flatMap((c) => Array.from(c.y).filter(Number.isFinite));
      const top = own.reduce((most, v) => Math.max(most, v), 0);
      const to = high ?? Math.min(max ?? 1, top > 0 ? TALLER * top : Infinity);
      if (high !== null) return [Math.max(0, from - 0.04), 1.005];
      return to > from ? [from, to + 0.04 * (to - from)] : [from, from + Math.abs(from) + 1e-6];
    };
    return {
      ...this.size(),
      padding: [8, 20, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: plot.sync(this.group().key).key, setSeries: false, filters: { pub: moves, sub: moves } },
        drag: { x: true, y: false, setScale: false },
        points: { size: 5 },
        y: false,
      },
      scales: { x: { time: false, range: () => this.group().view ?? [0, this.end] }, y: this.log ? { distr: 3 } : { range: spread } },
      axes: [
        { ...axis, size: 20, space: (_, __, ___, ____, width) => Math.min(70, Math.max(34, width / 3)), incrs: STEPS, values: (_, splits) => labels(splits) },
        { ...axis, size: wide, space: 24, values: (_, splits) => (this.log ? splits.map((v) => (v === null ? "" : alone(v))) : labels(splits)) },
      ],
      series: [
        {},
        ...this.curves.map((c, i): uPlot.Series => ({
          label: c.label,
          stroke: this.colour(c.ink),
          width: c.width,
          dash: c.dash ? DASHES[c.dash] : dashed() ? SHAPES[c.label] ?? LAYERS[i % LAYERS.length] : undefined,
          spanGaps: true,
          points: { show: false },
        })),
      ],
      hooks: {
        draw: [(u) => this.decorate(u)],
        setCursor: [(u) => this.say(u)],
        setSelect: [(u) => this.zoom(u)],
        ready: [(u) => u.over.addEventListener("dblclick", () => this.look(null))],
      },
    };
  }

  private zoom(u: uPlot): void {
    const { left, width } = u.select;
    if (width <= 0) return;
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.look([u.posToVal(left, "x"), u.posToVal(left + width, "x")]);
  }

  private look(steps: [number, number] | null): void {
    const group = this.group();
    group.view = steps;
    charts.forEach((chart) => chart.group() === group && chart.again());
  }

  /** Leading ends, live edits and values that were no numbers. */
  private decorate(u: uPlot): void {
    const { ctx } = u;
    const { left, top, width, height } = u.bbox;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top - 6, width + 8, height + 12);
    ctx.clip();
    for (const mark of this.marks) {
      const x = u.valToPos(mark.step, "x", true);
      ctx.strokeStyle = this.colour("--accent");
      ctx.globalAlpha = 0.7;
      ctx.lineWidth = ratio;
      ctx.setLineDash([2 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + height);
      ctx.stroke();
    }
    this.name(u);
    ctx.setLineDash([]);
    ctx.globalAlpha = 1;
    for (const curve of this.curves) {
      ctx.fillStyle = this.colour(curve.ink);
      const last = curve.x.length - 1;
      if (curve.live && last >= 0 && Number.isFinite(curve.y[last])) {
        ctx.beginPath();
        ctx.arc(u.valToPos(curve.x[last]!, "x", true), u.valToPos(curve.y[last]!, "y", true), 2.6 * ratio, 0, 7);
        ctx.fill();
      }
      ctx.fillStyle = this.colour("--bad");
      curve.y.forEach((v, i) => {
        if (!Number.isFinite(v)) ctx.fillRect(u.valToPos(curve.x[i]!, "x", true) - ratio, top + height - 6 * ratio, 2 * ratio, 6 * ratio);
      });
    }
    ctx.restore();
  }

  /** Writes beside the marks what they mark, the newest first, in the uppermost row that has room for the words. */
  private name(u: uPlot): void {
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio;
    const right = bbox.left + bbox.width;
    // Where the words of each row begin; newer marks stand further right.
    const rows = [right, right, right];
    ctx.font = `${10 * ratio}px ${this.colour("--mono")}`;
    ctx.fillStyle = this.colour("--accent");
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    ctx.globalAlpha = 1;
    for (const mark of this.marks.filter((m) => m.label).reverse()) {
      const from = u.valToPos(mark.step, "x", true) + 4 * ratio;
      // At the right end the words stand before their mark; where neither side has room for all of them, the first of them do.
      const room = Math.max(right - from, from - 8 * ratio - bbox.left);
      const text = fitted(ctx, mark.label, room);
      const width = ctx.measureText(text).width;
      const at = from + width <= right ? from : from - width - 8 * ratio;
      const row = rows.findIndex((room) => at >= bbox.left && at + width <= room);
      if (row < 0) continue;
      ctx.fillText(text, at, bbox.top + 12 * ratio * row);
      rows[row] = at - 8 * ratio;
    }
  }

  /** The values under the cursor, and the edit that was made there. */
  private say(u: uPlot): void {
    const { idx, left } = u.cursor;
    if (idx == null || left == null || left < 0) {
      this.tip.hidden = true;
      return;
    }
    const step = u.data[0][idx]!;
    const near = (i: number): number | null => {
      const values = u.data[i + 1] ?? [];
      for (let d = 0; d < 40; d++) {
        const value = values[idx - d] ?? values[idx + d];
        if (value != null) return value;
      }
      return null;
    };
    const lines = [`step ${Math.round(step).toLocaleString("en")}`];
    this.curves.forEach((c, i) => {
      const value = near(i);
      if (value !== null && c.label !== "guessing") lines.push(`${c.label} ${+value.toPrecision(4)}`);
    });
    const reach = u.posToVal(8, "x") - u.posToVal(0, "x");
    lines.push(...this.marks.filter((m) => m.label && Math.abs(m.step - step) <= reach).map((m) => `✎ ${m.label}`));
    this.tip.textContent = lines.join("\n");
    this.tip.hidden = false;
    const room = this.host.clientWidth - this.tip.offsetWidth - 8;
    this.tip.style.left = `${Math.max(0, Math.min(room, left + 52))}px`;
  }
}

/** See `here.ts`, which few need. */
export const here = (bindings: string, module: WebAssembly.Module): Promise<MessagePort> => import("./here.js").then((file) => file.here(bindings, module));
