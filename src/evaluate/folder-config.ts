import { z } from "zod";
import { type FoundFiles, readProvenance } from "../checkpoint/index.ts";
import { parseConfig, type RunConfig } from "../config/index.ts";
import { DictlearnError } from "../errors.ts";
import type { DictionaryOrigin } from "../places/index.ts";

/** What a dictionary was trained on, according to its config in any format; everything may be missing. */
export interface FolderConfig {
  readonly name?: string;
  readonly origin?: DictionaryOrigin;
  readonly ctxLen?: number;
  /** The full run, where dictlearn wrote the file. */
  readonly run?: RunConfig;
}

const Text = z.string().nullish().catch(undefined);

/** The keys that dictlearn and dictionary_learning share; a value of the wrong type counts as missing. */
const File = z.looseObject({
  buffer: z
    .looseObject({ ctx_len: z.int().min(1).optional().catch(undefined) })
    .nullish()
    .catch(undefined),
  dictionary: z.looseObject({ name: Text }).nullish().catch(undefined),
  run: z.looseObject({}).nullish(),
});

/** Reads the config of a dictionary; empty where there is none. Throws a `DictlearnError` when it is damaged. */
export const readFolderConfig = (files: FoundFiles): FolderConfig => {
  if (files.config === undefined) return {};
  const { buffer, dictionary, run } = parseFile(files);
  const { provenance, origin } = readProvenance(files);
  const found = {
    name: dictionary?.name,
    origin,
    ctxLen: buffer?.ctx_len ?? provenance.contextSize,
    run: run ? parseConfig(withoutReserve(run), { source: `The run in ${files.configPath}` }) : undefined,
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined && value !== null));
};

/** A run recorded by a version that did not reserve text trained on all of it. */
const withoutReserve = (run: Record<string, unknown>): Record<string, unknown> => {
  const { data } = run;
  if (data === null || typeof data !== "object" || "evaluation_every" in data) return run;
  return { ...run, data: { ...data, evaluation_every: null } };
};

const parseFile = ({ config, configPath }: FoundFiles): z.output<typeof File> => {
  const parsed = File.safeParse(config?.value);
  if (parsed.success) return parsed.data;
  throw new DictlearnError(`${configPath} is not the config of a dictionary: its key run is not an object.`, {
    code: "bad_config",
    hint: "Move it away and name --model, --submodule and --data.",
    cause: parsed.error,
  });
};
