import type { RunConfig } from "../config/index.ts";
import type { Worker } from "../worker/index.ts";
import { type Timing, timingOf } from "./timing.ts";

/** How the factors of a product of matrices are rounded. `tf32`: float32 numbers with 10 bits of mantissa, on CUDA. */
export type Precision = "float32" | "tf32" | "bfloat16" | "float64";

/** The rate at which a device multiplies large square matrices: the most that a run can hope for. */
export interface Peak {
  readonly precision: Precision;
  /** Rows and columns of each matrix. */
  readonly size: number;
  /** One product, in seconds. */
  readonly product: Timing;
  /** 2·size³ by the fastest of them. */
  readonly flops_per_second: number;
}

/** What the products of a run's steps are rounded to. */
export const precisionOf = ({ dtype, autocast, tf32 }: RunConfig, device: string): Precision =>
  autocast ?? (dtype === "float32" && tf32 && device.startsWith("cuda") ? "tf32" : dtype);

const REPETITIONS = 7;
/** So large that a device is busy, so small that it is a matter of a second. */
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
