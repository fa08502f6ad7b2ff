// The one script of a page with widgets: defines <downhill-lab>, and gives scripts the same by themselves.
export { DownhillLab } from "./embed/element";
export { createRun, Run } from "./embed/run";
export type { Events, Experiment, Options } from "./embed/run";
export { locate } from "./embed/engine";
export type { Generated, GenerateOptions, Probed, Readings, State } from "./embed/engine";
export type * from "./embed/types";
