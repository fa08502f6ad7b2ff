// The words at an axis: what stands at a tick is what its place is worth, to the last digit.

const trimmed = (text: string): string => text.replace("e-", "e−").replace("e+", "e");

/** One value by itself, as on a logarithmic axis, where ticks are powers of ten. */
export const alone = (v: number): string => {
  const size = Math.abs(v);
  if (v === 0 || (size >= 1e-3 && size < 1e4)) return `${+v.toPrecision(12)}`;
  return trimmed((+v.toPrecision(12)).toExponential());
};

/** Digits behind the point that `values` need; more than 12 say nothing in a number of 64 bits. */
const digits = (values: number[]): number => {
  for (let d = 0; d < 12; d++) {
    const power = 10 ** d;
    if (values.every((v) => Math.abs(v * power - Math.round(v * power)) < 1e-6 * Math.max(1, Math.abs(v) * 1e-6))) return d;
  }
  return 12;
};

/** Labels for ticks at equal distances: all with the same unit and as many digits as tell each of them. */
export const labels = (ticks: (number | null)[]): string[] => {
  const values = ticks.filter((v): v is number => v !== null && Number.isFinite(v));
  const largest = Math.max(...values.map(Math.abs), 0);
  let [unit, sign] = [1, ""];
  if (largest >= 1e12 || (largest > 0 && largest < 1e-3)) {
    const power = Math.floor(Math.log10(largest) + 1e-9);
    [unit, sign] = [10 ** power, `e${power}`.replace("-", "−")];
  } else if (largest >= 1e9) [unit, sign] = [1e9, "G"];
  else if (largest >= 1e6) [unit, sign] = [1e6, "M"];
  else if (largest >= 1e4) [unit, sign] = [1e3, "k"];
  const shown = digits(values.map((v) => v / unit));
  const form = { minimumFractionDigits: shown, maximumFractionDigits: shown };
  return ticks.map((v) => (v === null ? "" : v === 0 ? "0" : (v / unit).toLocaleString("en", form) + sign));
};
