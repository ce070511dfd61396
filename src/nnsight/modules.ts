import type { HandleRef, Result } from "../protocol/index.ts";
import type { Worker } from "../worker/index.ts";

/**
 * Contexts and tokens of the trial pass. Odd numbers that are not widths: a dimension of that size counts contexts or
 * tokens.
 */
const TRIAL = { contexts: 3, tokens: 5 } as const;

/** A dimension of a tensor: a number, or the thing it counts. null: unknown before a trace runs. */
export type Dimension = number | "batch" | "position" | null;

/** One tensor of a module's input or output. */
export interface ModuleTensor {
  /** The indices and keys of its place, such as `["0"]` in a tuple; empty for the value itself. */
  readonly at: readonly string[];
  readonly shape: readonly Dimension[];
  readonly dtype: string;
}

/** A module's first input, or its output. */
export interface ModuleSide {
  readonly kind: "tensor" | "sequence" | "mapping" | "other";
  readonly tensors: readonly ModuleTensor[];
  /** Its order in a forward pass, counted over all inputs and outputs of the model. */
  readonly event: number;
}

/** One module of a model, as `LanguageModel.modules()` lists it. */
export interface ModuleInfo {
  /** Dotted path; empty for the model itself. */
  readonly path: string;
  /** The name of its class in Python. */
  readonly className: string;
  /** Number of parameters, including its submodules. */
  readonly parameters: number;
  /** Last dimension of its first input tensor and of its first output tensor; null: there is none. */
  readonly inputWidth: number | null;
  readonly outputWidth: number | null;
  /** Number of its calls in one forward pass. */
  readonly calls: number;
  /** null: it does not run in a forward pass. */
  readonly input: ModuleSide | null;
  readonly output: ModuleSide | null;
}

type Facts = Result<"model.modules">["modules"][number];

/** Lists all modules, from one short pass. */
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
