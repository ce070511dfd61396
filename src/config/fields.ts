import { z } from "zod";

/** A whole number of at least `least`. */
export const whole = (least: number) => z.int().min(least);
export const positive = () => z.number().gt(0);
export const atLeastZero = () => z.number().min(0);

export const Seed = whole(0).max(2 ** 47);
export const Dtype = z.enum(["float32", "float64", "bfloat16"]);
export const Io = z.enum(["out", "in", "in_to_out"]);
export const Device = z
  .string()
  .regex(/^(auto|cpu|cuda|cuda:\d+)$/, "auto, cpu, cuda or cuda:N")
  .meta({ examples: ["auto", "cpu", "cuda", "cuda:1"] });

/** Architectures that configs may name; see features.ts for those available so far. */
export const Architecture = z.enum([
  "standard",
  "gated",
  "top_k",
  "batch_top_k",
  "jump_relu",
  "matryoshka",
  "p_annealing",
]);
