import type { Layout, TensorInfo } from "../../protocol/index.ts";
import { notADictionary, type Source } from "./format.ts";

type Parameter = Layout["parameters"][number]["parameter"];

/** Size of a parameter's axes: m features, d_in and d_out coordinates. */
const AXES: Record<Parameter, readonly ("size" | "inputWidth" | "outputWidth")[]> = {
  input_bias: ["inputWidth"],
  bias: ["outputWidth"],
  "encoder.weight": ["size", "inputWidth"],
  "encoder.bias": ["size"],
  "decoder.weight": ["outputWidth", "size"],
};

/** Creates a layout's list of parameters from `parameter → name in the file`; a name with ᵀ is stored transposed. */
export const parametersNamed = (names: Partial<Record<Parameter, string>>): Layout["parameters"] =>
  Object.entries(names).map(([parameter, text]) => {
    const transposed = text.endsWith("ᵀ");
    return { parameter: parameter as Parameter, name: transposed ? text.slice(0, -1) : text, transposed };
  });

/**
 * Checks that a file holds the tensors of a layout and no others, of one dtype, with consistent shapes.
 *
 * @throws {DictlearnError} `not_a_dictionary`, naming the first invalid tensor.
 */
export const checkTensors = ({ weights, tensors }: Source, layout: Layout): void => {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const known = [...layout.parameters.map(({ name }) => name), ...layout.ones];
  const missing = known.filter((name) => !byName.has(name));
  if (missing.length > 0) {
    const held = [...byName.keys()].slice(0, 8).join(", ") || "nothing";
    throw notADictionary(weights, `it lacks ${missing.join(", ")} (it holds ${held})`);
  }
  const unknown = [...byName.keys()].filter((name) => !known.includes(name));
  if (unknown.length > 0) throw notADictionary(weights, `it also holds ${unknown.join(", ")}, which is not known here`);
  checkShapes(weights, layout, byName);
  const dtypes = [...new Set(layout.parameters.map(({ name }) => byName.get(name)?.dtype))];
  if (dtypes.length > 1) throw notADictionary(weights, `its tensors are of several dtypes, ${dtypes.join(" and ")}`);
};

const checkShapes = (weights: string, layout: Layout, byName: ReadonlyMap<string, TensorInfo>): void => {
  const sizes = new Map<string, { length: number; from: string }>();
  for (const { name, parameter, transposed } of layout.parameters) {
    const shape = byName.get(name)?.shape ?? [];
    const axes = transposed ? [...AXES[parameter]].reverse() : AXES[parameter];
    if (shape.length !== axes.length || shape.some((length) => length === 0)) {
      throw notADictionary(weights, `${name} is ${text(shape)}, but must have ${axes.length} axes that are not empty`);
    }
    for (const [index, axis] of axes.entries()) {
      const length = shape[index] ?? 0;
      // With a tied bias the input and output widths are equal.
      const key = axis === "inputWidth" && layout.input_bias === "tied" ? "outputWidth" : axis;
      const before = sizes.get(key);
      if (before !== undefined && before.length !== length) {
        throw notADictionary(weights, `${name} is ${text(shape)}, which does not go with ${before.from}`);
      }
      sizes.set(key, before ?? { length, from: `${name}, ${text(shape)}` });
    }
  }
};

const text = (shape: readonly number[]): string => `[${shape.join(", ")}]`;
