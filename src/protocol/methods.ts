import { z } from "zod";
import { benchMethods } from "./bench-methods.ts";
import { bufferMethods } from "./buffer-methods.ts";
import { dictionaryMethods } from "./dictionary-methods.ts";
import { evaluateMethods } from "./evaluate-methods.ts";
import { featureMethods } from "./feature-methods.ts";
import { type Method, method } from "./method.ts";
import { modelMethods } from "./model-methods.ts";
import { nnsightMethods } from "./nnsight-methods.ts";
import { processMethods } from "./process-methods.ts";
import { stateMethods } from "./state-methods.ts";
import { textMethods } from "./text-methods.ts";
import { trainMethods } from "./train-methods.ts";
import { int } from "./types.ts";

/**
 * The methods of the `data` channel, which run one by one on the thread that owns torch, grouped by subject: one module
 * each of the worker's package `protocol`.
 */
export const dataGroups = {
  process: processMethods,
  model: modelMethods,
  text: textMethods,
  buffer: bufferMethods,
  dictionary: dictionaryMethods,
  train: trainMethods,
  state: stateMethods,
  evaluate: evaluateMethods,
  features: featureMethods,
  nnsight: nnsightMethods,
  bench: benchMethods,
} satisfies Record<string, Record<string, Method>>;

/** The methods of the `control` channel, answered by a separate thread while torch is busy. */
export const controlMethods = {
  ping: method({}, { busy: z.nullable(z.string()) }),
  cancel: method({ id: int() }, {}),
  shutdown: method({}, {}),
} satisfies Record<string, Method>;

type DataGroups = typeof dataGroups;
/** Of a union of objects, one object with the keys of all. */
type Merged<T> = (T extends unknown ? (each: T) => void : never) extends (all: infer All) => void ? All : never;
type Methods = Merged<DataGroups[keyof DataGroups]> & typeof controlMethods;
export type MethodName = keyof Methods;
export type Params<M extends MethodName> = z.input<Methods[M]["params"]>;
export type Result<M extends MethodName> = z.output<Methods[M]["result"]>;
