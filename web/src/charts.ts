// The chart glue between the page's wasm and uPlot: one class, fed with finished curves.
import uPlot from "uplot";

interface Curve {
  label: string;
  /** Name of a colour of the style sheet: `--pos`. */
  ink: string;
  dash: boolean;
  width: number;
  x: Float64Array;
  y: Float64Array;
}

interface Mark {
  step: number;
  label: string;
}

/** Where colours do not tell curves apart, dashes do. The worker loads this file too, and has no such thing as a screen. */
const dashed = (): boolean => matchMedia("(forced-colors: active), (prefers-contrast: more)").matches;

const DASHES: Record<string, number[]> = { train: [], rate: [], validation: [8, 4], "run before": [1, 3] };
const LAYERS = [[], [8, 4], [2, 2], [12, 3, 3, 3], [5, 2], [1, 4]];

const sync = uPlot.sync("steps");

/** A colour of the style sheet; the diverging scale is kept as bare numbers. */
const colour = (name: string): string => {
  const value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return /^[\d\s.]+$/.test(value) ? `rgb(${value})` : value;
};

const short = (v: number): string => {
  if (v === 0) return "0";
  const size = Math.abs(v);
  if (size >= 1e6) return `${+(v / 1e6).toPrecision(3)}M`;
  if (size >= 1e4) return `${+(v / 1e3).toPrecision(3)}k`;
  if (size < 1e-3) return v.toExponential(0).replace("e-", "e−");
  return size >= 1000 ? v.toLocaleString("en") : `${+v.toPrecision(3)}`;
};

/** A chart of curves over steps: zoom by dragging, a double click shows all; cursors of all charts move together. */
export class TimeChart {
  private plot: uPlot | null = null;
  private shape = "";
  private marks: Mark[] = [];
  private curves: Curve[] = [];
  private zoomed = false;
  private bounds: [number | null, number | null] = [null, null];
  private readonly tip: HTMLDivElement;
  private readonly observer: ResizeObserver;

  constructor(private readonly host: HTMLElement) {
    this.tip = document.createElement("div");
    this.tip.className = "chart-tip num";
    this.tip.hidden = true;
    host.append(this.tip);
    this.observer = new ResizeObserver(() => this.plot?.setSize(this.size()));
    this.observer.observe(host);
  }

  /** Shows curves and marks; `low` and `high` hold the ends of the y axis. */
  show(curves: Curve[], marks: Mark[], log: boolean, low?: number, high?: number): void {
    this.curves = curves;
    this.marks = marks;
    this.bounds = [low ?? null, high ?? null];
    const data = this.join(curves, log);
    const theme = document.documentElement.dataset.theme;
    const shape = JSON.stringify([log, theme, curves.map((c) => [c.label, c.ink])]);
    if (shape !== this.shape || !this.plot) {
      this.shape = shape;
      this.plot?.destroy();
      this.zoomed = false;
      this.plot = new uPlot(this.options(log), data, this.host);
      return;
    }
    this.plot.setData(data, !this.zoomed);
    if (this.zoomed) this.plot.redraw();
  }

  /** Takes the chart off the page. */
  destroy(): void {
    this.observer.disconnect();
    this.plot?.destroy();
    this.tip.remove();
  }

  private size(): { width: number; height: number } {
    return { width: Math.max(40, this.host.clientWidth), height: Math.max(40, this.host.clientHeight) };
  }

  /** All curves on one axis of steps. What is not a number is a gap to uPlot and a mark to us; a logarithm has no place for zero. */
  private join(curves: Curve[], log: boolean): uPlot.AlignedData {
    if (curves.length === 0) return [[0], []] as unknown as uPlot.AlignedData;
    const tables = curves.map((c): uPlot.AlignedData => {
      const y = Array.from(c.y, (v) => (Number.isFinite(v) && !(log && v <= 0) ? v : null));
      return [Array.from(c.x), y] as uPlot.AlignedData;
    });
    return uPlot.join(tables);
  }

  private options(log: boolean): uPlot.Options {
    const ink = colour("--ink-3");
    const grid = { stroke: colour("--line"), width: 1 };
    const font = `10px ${colour("--mono")}`;
    const axis = { stroke: ink, font, grid, ticks: { show: false }, gap: 4 };
    const spread = (_: uPlot, min: number | null, max: number | null): [number, number] => {
      const [low, high] = this.bounds;
      const from = low ?? min ?? 0;
      const to = high ?? max ?? 1;
      if (high !== null) return [Math.max(0, from - 0.04), 1.005];
      return to > from ? [from, to + 0.04 * (to - from)] : [from, from + Math.abs(from) + 1e-6];
    };
    return {
      ...this.size(),
      padding: [8, 20, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: sync.key, setSeries: false },
        drag: { x: true, y: false, setScale: true },
        points: { size: 5 },
        y: false,
      },
      scales: { x: { time: false }, y: log ? { distr: 3 } : { range: spread } },
      axes: [
        { ...axis, size: 20, space: 70, values: (_, splits) => splits.map(short) },
        { ...axis, size: 44, space: 34, values: (_, splits) => splits.map((v) => (v === null ? "" : short(v))) },
      ],
      series: [
        {},
        ...this.curves.map((c, i): uPlot.Series => ({
          label: c.label,
          stroke: colour(c.ink),
          width: c.width,
          dash: c.dash ? [3, 3] : dashed() ? DASHES[c.label] ?? LAYERS[i % LAYERS.length] : undefined,
          spanGaps: true,
          points: { show: false },
        })),
      ],
      hooks: {
        draw: [(u) => this.decorate(u)],
        setCursor: [(u) => this.say(u)],
        setSelect: [(u) => (this.zoomed = u.select.width > 0 || this.zoomed)],
        ready: [(u) => u.over.addEventListener("dblclick", () => this.whole())],
      },
    };
  }

  private whole(): void {
    this.zoomed = false;
    this.plot?.setData(this.plot.data, true);
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
      ctx.strokeStyle = colour("--accent");
      ctx.globalAlpha = 0.7;
      ctx.lineWidth = ratio;
      ctx.setLineDash([2 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + height);
      ctx.stroke();
    }
    ctx.setLineDash([]);
    ctx.globalAlpha = 1;
    for (const curve of this.curves) {
      ctx.fillStyle = colour(curve.ink);
      const last = curve.x.length - 1;
      if (!curve.dash && last >= 0 && Number.isFinite(curve.y[last])) {
        ctx.beginPath();
        ctx.arc(u.valToPos(curve.x[last]!, "x", true), u.valToPos(curve.y[last]!, "y", true), 2.6 * ratio, 0, 7);
        ctx.fill();
      }
      ctx.fillStyle = colour("--bad");
      curve.y.forEach((v, i) => {
        if (!Number.isFinite(v)) ctx.fillRect(u.valToPos(curve.x[i]!, "x", true) - ratio, top + height - 6 * ratio, 2 * ratio, 6 * ratio);
      });
    }
    ctx.restore();
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
    lines.push(...this.marks.filter((m) => Math.abs(m.step - step) <= reach).map((m) => `✎ ${m.label}`));
    this.tip.textContent = lines.join("\n");
    this.tip.hidden = false;
    const room = this.host.clientWidth - this.tip.offsetWidth - 8;
    this.tip.style.left = `${Math.max(0, Math.min(room, left + 52))}px`;
  }
}
