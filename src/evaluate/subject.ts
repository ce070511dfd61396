import type { SiteSpec } from "../nnsight/index.ts";
import type { DictionaryOrigin } from "../places/index.ts";
import { version } from "../version.ts";
import type { EvaluationPlan } from "./plan.ts";

/** The subject of an evaluation, written into `evaluation.json` with it. */
export interface EvaluationSubject {
  readonly dictlearn: string;
  readonly model: string | null;
  readonly revision: string | null;
  readonly model_dtype: string | null;
  readonly submodule: string | null;
  readonly io: string | null;
  /** As stated, such as a hook's name. */
  readonly place: string | null;
  /** The text's path, or the file of rows. */
  readonly data: string | null;
  readonly split: string | null;
  readonly text_field: string | null;
  /** Documents skipped at the beginning. */
  readonly skip: number;
  /** Whether the text is the reserved part of the run's text, never trained on. */
  readonly reserved: boolean;
  readonly ctx_len: number | null;
  readonly seed: number;
  readonly compat: "none" | "ddac948";
  /** Contexts that the reference drew its rows from; null without `compat`. */
  readonly buffer_contexts: number | null;
}

/** A place as text: equal for equal places. */
export const placeText = (place: DictionaryOrigin | null): string | null => {
  if (place === null) return null;
  const { submodule, submodule_out, io, layer } = place;
  const names = submodule_out === undefined ? submodule : `${submodule} → ${submodule_out}`;
  const hook = submodule?.includes("hook_") ? "" : ` (${io ?? (submodule_out === undefined ? "out" : "in_to_out")})`;
  return `${names}${/\d/.test(names ?? "") || layer === undefined ? "" : ` of layer ${layer}`}${hook}`;
};

/** The facts of a plan that go into `evaluation.json`. */
export const subjectOf = (
  { model, place, data, options }: EvaluationPlan,
  site: SiteSpec | null,
): EvaluationSubject => ({
  dictlearn: version,
  model: model?.path ?? null,
  revision: model?.revision ?? null,
  model_dtype: model?.dtype ?? null,
  submodule: site?.submodule ?? null,
  io: site?.io ?? null,
  place: placeText(place),
  data: data?.path ?? options.activations ?? null,
  split: data?.split ?? null,
  text_field: data?.textField ?? null,
  skip: data?.skip ?? 0,
  reserved: data?.part?.take === "evaluation",
  ctx_len: options.buffer?.ctx_len ?? null,
  seed: options.seed ?? 0,
  compat: options.compat ?? "none",
  buffer_contexts: options.compat === "ddac948" ? (options.buffer?.n_ctxs ?? null) : null,
});
