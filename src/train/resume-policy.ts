import { stepsThrough } from "./plan.ts";

/** The config's `resume_every`: a number of steps, or an amount of time. */
export type ResumeEvery = { readonly steps: number } | { readonly milliseconds: number };

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** 500, or "10m". The config's schema has checked its form. */
export const parseResumeEvery = (value: number | string): ResumeEvery =>
  typeof value === "number"
    ? { steps: value }
    : { milliseconds: Number(value.slice(0, -1)) * (UNITS[value.slice(-1)] ?? Number.NaN) };

/** How many steps can be sent at once after `step` steps, so that a state can be saved when it is due. */
export const stepsUntilSave = (step: number, every: ResumeEvery): number =>
  "steps" in every ? stepsThrough(step, every.steps, every.steps - 1) : Number.POSITIVE_INFINITY;

/** Whether a state is due after `step` steps, `elapsed` milliseconds after the last one. */
export const saveIsDue = (step: number, elapsed: number, every: ResumeEvery): boolean =>
  "steps" in every ? step > 0 && step % every.steps === 0 : elapsed >= every.milliseconds;
