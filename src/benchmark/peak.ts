import type { RunConfig } from "../config/index.ts";
import type { Worker } from "../worker/index.ts";
import { type Timing, timingOf } from "./timing.ts";

/** How the factors of a matrix product are rounded. `tf32`: float32 numbers with 10 bits of mantissa, on CUDA. */
export type Precision = "float32" | "tf32" | "bfloat16" | "float64";

/** The rate at which a device multiplies large square matrices: the upper limit for a run. */
export interface Peak {
  readonly precision: Precision;
  /** Rows and columns of each matrix. */
  readonly size: number;
  /** One product, in seconds. */
  readonly product: Timing;
  /** 2·size³ by the fastest of them. */
  readonly flops_per_second: number;
}

/** The rounding of the products in a run's steps. */
export const precisionOf = ({ dtype, autocast, tf32 }: RunConfig, device: string): Precision =>
  autocast ?? (dtype === "float32" && tf32 && device.startsWith("cuda") ? "tf32" : dtype);

const REPETITIONS = 7;
/** Large enough to keep a device busy, small enough to take about a second. */
const SIZES = { cpu: 2048, cuda: 8192 };

/** Measures products on one device. Sets `tf32` for the worker's whole process. */
export const measurePeak = async (
  worker: Worker,
  { device, precision, deterministic = false }: { device: string; precision: Precision; deterministic?: boolean },
): Promise<Peak> => {
  await worker.call("configure", { tf32: precision === "tf32", deterministic });
  const size = device.startsWith("cuda") ? SIZES.cuda : SIZES.cpu;
  const dtype = precision === "tf32" ? "float32" : precision;
  const { seconds } = await worker.call("bench.products", { device, dtype, size, repetitions: REPETITIONS });
  const product = timingOf(seconds);
  return { precision, size, product, flops_per_second: (2 * size ** 3) / product.fastest };
};
