import { z } from "zod";
import { parseKeys } from "./config-file.ts";
import { type Format, notADictionary, notRepresentable } from "./format.ts";
import { stateDictIn, stateDictOfClass } from "./state-dict.ts";
import { checkTensors } from "./tensors.ts";
import { readTrainerConfig, trainerConfig } from "./trainer-config.ts";

const Keys = z.looseObject({ trainer: z.looseObject({ dict_class: z.string() }) });
/** The classes that compute a standard dictionary; the others gate, or keep the largest features only. */
const CLASSES = ["AutoEncoder", "AutoEncoderNew"];

/**
 * `ae.pt` and `config.json` as current dictionary_learning writes them: its `load_dictionary` reads
 * `trainer.dict_class`. Source: dictionary_learning 0.1.0, `utils.load_dictionary` and `dictionary.py`.
 */
export const dictionaryLearning: Format = {
  name: "dictionary_learning",
  title: "ae.pt and config.json with trainer.dict_class, as today's dictionary_learning writes them",
  weights: "ae.pt",
  config: "config.json",
  container: "pt",
  foreignKeys: [],
  read: (source) => {
    const { trainer } = parseKeys(Keys, source.config ?? {}, source.configPath);
    if (!CLASSES.includes(trainer.dict_class)) {
      throw notRepresentable(
        `${source.configPath} says that the dictionary is a ${trainer.dict_class}, which computes something else than ${CLASSES.join(" and ")}, the classes that dictlearn knows.`,
      );
    }
    const { layout, dictClass } = stateDictIn(source);
    checkTensors(source, layout);
    if (dictClass !== trainer.dict_class) {
      throw notADictionary(
        source.weights,
        `its tensors are those of a ${dictClass}, but ${source.configPath} says ${trainer.dict_class}`,
      );
    }
    return { layout };
  },
  provenance: readTrainerConfig,
  write: (shape, provenance) => {
    const { layout, dictClass } = stateDictOfClass(shape);
    return { layout, config: trainerConfig(shape, provenance, dictClass) };
  },
};
