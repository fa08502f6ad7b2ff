// Rates: their medians and ratios, and how tables show them.
import { cpus, release, totalmem } from "node:os";

export const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** How much faster `a` was than `b`: the median of what each round says. */
export const ratio = (a, b) => median(a.rates.map((rate, round) => rate / b.rates[round]));

/** Steps per second. */
export const rateText = (rate) => (rate >= 1000 ? Math.round(rate).toLocaleString("en-US") : rate.toPrecision(3));

export const row = (texts) => `| ${texts.join(" | ")} |`;

/** When and where it was measured. */
export const occasion = () =>
  `${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform} ${release()}`;
