// The chart glue between the page's wasm and uPlot.
export { default as uPlot } from "uplot";
