import { createHash } from "node:crypto";
import { z } from "zod";
import { SourcePosition } from "../buffer/index.ts";
import { RunConfig } from "../config/index.ts";
import { DictlearnError } from "../errors.ts";
import { shellQuoted } from "../shell-quoted.ts";
import { InputFile } from "./input-files.ts";

const FORMAT = 2;
const count = () => z.int().min(0);
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** The inputs that determine a script's training: its source of rows and its options, as JSON. */
const ScriptConfig = z.strictObject({ script: z.record(z.string(), z.unknown()) });

/** The record of a run: its config, its inputs, and the machine it started on. */
export const RunRecord = z.strictObject({
  config: z.union([ScriptConfig, RunConfig]),
  inputs: z.array(InputFile),
  /** Versions of dictlearn, Python and the packages that compute. */
  versions: z.record(z.string(), z.string()),
  device: z.string(),
  threads: count(),
});
export type RunRecord = z.output<typeof RunRecord>;

/** The config of the run in a folder. Throws `not_resumable` where a script trained. */
export const configOf = ({ config }: RunRecord, folder: string): RunConfig => {
  if (!("script" in config)) return config;
  throw new DictlearnError(`${folder} holds the training of a script, so no command can continue it.`, {
    code: "not_resumable",
    hint: "Run the script again, with the same save_dir and resume.",
  });
};

/** The same for a script's training. Throws `not_resumable` where it is a run of a config. */
export const scriptOf = ({ config }: RunRecord, folder: string): Record<string, unknown> => {
  if ("script" in config) return config.script;
  throw new DictlearnError(`${folder} holds a run of a config, so a script cannot continue it.`, {
    code: "not_resumable",
    hint: `Continue it with \`dictlearn train --resume ${shellQuoted(folder)}\`, or name another save_dir.`,
  });
};

/** The state of a run after some step, without the tensors; the tensors are in `file`. */
export const ResumeState = z.strictObject({
  run: RunRecord,
  /** `light`: the rows are not kept, and training resumes with fresh ones. */
  kind: z.enum(["exact", "light"]),
  /** Steps done. */
  step: count(),
  /** Rows trained on. */
  tokens: count(),
  /** Seconds of training, in all processes so far; states of earlier versions have none. */
  seconds: z.number().min(0).optional(),
  source: SourcePosition,
  /**
   * In the config's order. `metrics`: bytes of metrics.jsonl written. `resampledAt`: step; null: never. `scale`: of its
   * rows.
   */
  trainees: z.array(
    z.strictObject({ name: z.string(), resampledAt: z.nullable(count()), scale: z.number(), metrics: count() }),
  ),
  file: z.strictObject({ name: z.string().regex(/^[\w-]+\.safetensors$/), bytes: count(), sha256: Sha256 }),
});
export type ResumeState = z.output<typeof ResumeState>;

const Sealed = z.strictObject({ format: z.int(), sha256: Sha256, content: z.unknown() });

/** JSON that carries the hash of its own content, so that any damage shows. */
export const seal = (content: unknown): string =>
  `${JSON.stringify({ format: FORMAT, sha256: digest(content), content }, undefined, 1)}\n`;

/** The content of sealed JSON. Throws an `Error` whose message is the reason, as the end of a sentence. */
export const unseal = <S extends z.ZodType>(text: string, schema: S): z.output<S> => {
  const sealed = Sealed.safeParse(parseJson(text));
  if (!sealed.success) throw new Error("it is cut off, or was written by another program");
  const { format } = sealed.data;
  if (format !== FORMAT) {
    throw new Error(`it was written by another version of dictlearn (format ${format}, and this one reads ${FORMAT})`);
  }
  if (digest(sealed.data.content) !== sealed.data.sha256) throw new Error("its checksum does not fit");
  const content = schema.safeParse(sealed.data.content);
  if (!content.success) throw new Error("it lacks what this version needs");
  return content.data;
};

const digest = (content: unknown): string => createHash("sha256").update(JSON.stringify(content)).digest("hex");

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
