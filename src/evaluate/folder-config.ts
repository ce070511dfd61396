import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { parseConfig, type RunConfig } from "../config/index.ts";
import { DictlearnError } from "../errors.ts";
import type { SiteSpec } from "../nnsight/index.ts";

/** What a dictionary's `config.json` says of what it was trained on; everything may be missing. */
export interface FolderConfig {
  readonly name?: string;
  readonly model?: string;
  readonly submodule?: string;
  readonly io?: SiteSpec["io"];
  readonly ctxLen?: number;
  /** The whole run, where dictlearn wrote the file. */
  readonly run?: RunConfig;
}

const Text = z.string().nullish().catch(undefined);

/** The keys that dictlearn and dictionary_learning share; a value of another kind counts as missing. */
const File = z.looseObject({
  trainer: z.looseObject({ lm_name: Text, submodule_name: Text }).nullish(),
  buffer: z
    .looseObject({
      io: z.enum(["out", "in", "in_to_out"]).optional().catch(undefined),
      ctx_len: z.int().min(1).optional().catch(undefined),
    })
    .nullish(),
  dictionary: z.looseObject({ name: Text }).nullish(),
  run: z.looseObject({}).nullish(),
});

/** Reads a `config.json`; empty where there is none. Throws a `DictlearnError` when it is damaged. */
export const readFolderConfig = (path: string): FolderConfig => {
  if (!existsSync(path)) return {};
  const { trainer, buffer, dictionary, run } = parseFile(path);
  const found = {
    name: dictionary?.name,
    model: trainer?.lm_name,
    submodule: trainer?.submodule_name,
    io: buffer?.io,
    ctxLen: buffer?.ctx_len,
    run: run ? parseConfig(withoutReserve(run), { source: `The run in ${path}` }) : undefined,
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined && value !== null));
};

/** A run that was recorded before text was reserved trained on all of it. */
const withoutReserve = (run: Record<string, unknown>): Record<string, unknown> => {
  const { data } = run;
  if (data === null || typeof data !== "object" || "evaluation_every" in data) return run;
  return { ...run, data: { ...data, evaluation_every: null } };
};

const parseFile = (path: string): z.output<typeof File> => {
  try {
    return File.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    throw new DictlearnError(`${path} is not the config of a dictionary: it is not a JSON object of that form.`, {
      code: "bad_config",
      hint: "Move it away and name --model, --submodule and --data.",
      cause: error,
    });
  }
};
