import type { AutoEncoder } from "../../../src/dictionary/index.ts";
import type { LanguageModel, SavedTensor } from "../../../src/nnsight/index.ts";

/** The model that a row runs on, and the paths of its parts. */
export interface Subject {
  readonly model: LanguageModel;
  /** Width of the second MLP's activations. */
  readonly sae: AutoEncoder;
  readonly width: number;
  /** Width of one attention head. */
  readonly headWidth: number;
  readonly layer: (index: number) => string;
  readonly attention: (index: number) => string;
  /** The projection that joins the attention heads. */
  readonly heads: (index: number) => string;
}

/** One intervention, twice: as in a script, and as the body of a Python function that uses nnsight directly. */
export interface Intervention {
  readonly name: string;
  readonly typescript: (subject: Subject) => Promise<readonly SavedTensor[]>;
  /** Knows model, layers, attention(i), heads(i), sae, width, head_width, vector, PROMPT, OTHER, nnsight and torch. */
  readonly python: string;
}

export const PROMPT = "The cat sat on the mat";
export const OTHER = "A dog ran";

/** The vector that both sides add: (width), different at each index. */
export const vector = (width: number): number[] => Array.from({ length: width }, (_, index) => ((index % 7) - 3) / 4);
