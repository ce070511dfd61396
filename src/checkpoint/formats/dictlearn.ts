import type { Format } from "./format.ts";
import { stateDictFor, stateDictIn } from "./state-dict.ts";
import { checkTensors } from "./tensors.ts";
import { readTrainerConfig, trainerConfig } from "./trainer-config.ts";

/**
 * `ae.pt` and `config.json` as `dictlearn train` and dictionary_learning ddac948 write them. The weights alone define
 * the dictionary; the config may be missing, or have any keys.
 */
export const dictlearn: Format = {
  name: "dictlearn",
  title: "ae.pt and config.json, as dictlearn and the dictionary_learning of 2023 write them",
  weights: "ae.pt",
  config: "config.json",
  container: "pt",
  foreignKeys: [],
  read: (source) => {
    const { layout } = stateDictIn(source);
    checkTensors(source, layout);
    return { layout };
  },
  provenance: readTrainerConfig,
  write: (shape, provenance) => {
    const { layout, dictClass } = stateDictFor(shape);
    const dictionary = { output_dim: shape.outputWidth, dtype: shape.dtype };
    return { layout, config: { ...trainerConfig(shape, provenance, dictClass), dictionary } };
  },
};
