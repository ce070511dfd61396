import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { ConfigError } from "../../errors.ts";
import type { StatedSet } from "./stated-set.ts";

const Statistics = z.object({
  mse_loss: z.number(),
  l1_loss: z.number(),
  l0: z.number(),
  alive: z.number(),
  loss_recovered: z.number(),
  corrected_mean_square_error: z.number().exactOptional(),
});

const Dictionary = z.object({
  site: z.string().min(1),
  layer: z.int().min(0).nullable(),
  submodule: z.string().min(1),
  io: z.literal("out"),
  folder: z.string().min(1),
  activation_dim: z.int().min(1),
  dictionary_size: z.int().min(1),
  statistics: Statistics.nullable(),
});

/** The shape of a `PublishedSet`; keys for downloading are allowed and ignored. */
const File = z.object({
  sets: z.array(
    z.object({
      name: z.string().min(1),
      model: z.string().min(1),
      text: z.string().min(1),
      hyperparameters: z.object({ ctx_len: z.int().min(1).nullable() }),
      dictionaries: z.array(Dictionary).min(1),
    }),
  ),
});

/**
 * Custom sets from a JSON file: `{"sets": [...]}` with sets in the form of `PUBLISHED_SETS`.
 *
 * @throws {ConfigError} There is no such file, or it is invalid.
 */
export const readRegistry = (path: string): readonly StatedSet[] => {
  if (!existsSync(path)) throw new ConfigError(`There is no file ${path}.`, { hint: "Name a registry in JSON." });
  const { success, data, error } = File.safeParse(parse(path));
  if (!success) {
    const [issue] = error.issues;
    throw new ConfigError(`${path} is not a registry: at ${issue?.path.join(".") || "its top"}, ${issue?.message}.`, {
      hint: 'A registry is {"sets": [...]}, each with the keys that docs/statistics.md lists.',
    });
  }
  return data.sets.map((set) => ({
    ...set,
    dictionaries: set.dictionaries.map((each) => ({ ...each, set: set.name })),
  }));
};

const parse = (path: string): unknown => {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new ConfigError(`${path} is not a registry: it cannot be read as JSON.`, {
      hint: "Name a registry in JSON.",
      cause,
    });
  }
};
