import type { HandleRef, Result } from "../protocol/index.ts";
import type { Worker } from "../worker/index.ts";

/** Contexts and tokens of the trial pass. Odd numbers that are no widths: a dimension of that size counts them. */
const TRIAL = { contexts: 3, tokens: 5 } as const;

/** A dimension of a tensor: a number, or what it counts. null: it is not known before a trace runs. */
export type Dimension = number | "batch" | "position" | null;

/** One tensor of a module's input or output. */
export interface ModuleTensor {
  /** The indices and keys that lead to it, such as `["0"]` in a tuple; empty where it is the value itself. */
  readonly at: readonly string[];
  readonly shape: readonly Dimension[];
  readonly dtype: string;
}

/** A module's first input, or its output. */
export interface ModuleSide {
  readonly kind: "tensor" | "sequence" | "mapping" | "other";
  readonly tensors: readonly ModuleTensor[];
  /** When a forward pass comes by it, counted over all inputs and outputs of the model. */
  readonly event: number;
}

/** One module of a model, as `LanguageModel.modules()` lists it. */
export interface ModuleInfo {
  /** Dotted path; empty for the model itself. */
  readonly path: string;
  /** The name of its class in Python. */
  readonly className: string;
  /** Numbers in its parameters and in those of the modules below it. */
  readonly parameters: number;
  /** Last dimension of the first tensor that it is given, and of the first one that it returns; null: there is none. */
  readonly inputWidth: number | null;
  readonly outputWidth: number | null;
  /** How often one forward pass runs it. */
  readonly calls: number;
  /** null: it does not run in a forward pass. */
  readonly input: ModuleSide | null;
  readonly output: ModuleSide | null;
}

type Facts = Result<"model.modules">["modules"][number];

/** Lists all modules, learned from one short pass. */
export const readModules = async (worker: Worker, model: HandleRef): Promise<readonly ModuleInfo[]> => {
  const { modules } = await worker.call("model.modules", { model, ...TRIAL });
  return modules.map(({ path, class_name, parameters, calls, input, output }) => ({
    path,
    className: class_name,
    parameters,
    calls,
    inputWidth: widthOf(input),
    outputWidth: widthOf(output),
    input: sideOf(input),
    output: sideOf(output),
  }));
};

const widthOf = (side: Facts["input"]): number | null => {
  const shape = side?.tensors[0]?.shape ?? [];
  return shape.length > 2 ? (shape.at(-1) ?? null) : null;
};

const sideOf = (side: Facts["input"]): ModuleSide | null =>
  side === null
    ? null
    : {
        kind: side.kind,
        event: side.event,
        tensors: side.tensors.map(({ at, shape, dtype }) => ({ at, dtype, shape: shape.map(dimension) })),
      };

const dimension = (size: number, index: number): Dimension => {
  if (index === 0 && size === TRIAL.contexts) return "batch";
  if (index === 1 && size === TRIAL.tokens) return "position";
  return size === TRIAL.contexts || size === TRIAL.tokens ? null : size;
};
