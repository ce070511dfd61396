import type { Layout } from "../../protocol/index.ts";
import { notRepresentable, type Source, type StoredShape } from "./format.ts";
import { parametersNamed } from "./tensors.ts";

/** An `ae.pt`: dictionary_learning's class, and the layout of its parameters in the state_dict. */
export interface StateDict {
  readonly dictClass: "AutoEncoder" | "AutoEncoderNew" | "InputBiasAutoEncoder";
  readonly layout: Layout;
}

const ENCODER = { "encoder.weight": "encoder.weight", "encoder.bias": "encoder.bias" } as const;
const layout = (names: Parameters<typeof parametersNamed>[0], input_bias: Layout["input_bias"]): Layout => ({
  container: "pt",
  parameters: parametersNamed(names),
  input_bias,
  ones: [],
});

/** One bias, subtracted before encoding and added after decoding: dictionary_learning's `AutoEncoder`, since ddac948. */
const TIED: StateDict = {
  dictClass: "AutoEncoder",
  layout: layout({ bias: "bias", ...ENCODER, "decoder.weight": "decoder.weight" }, "tied"),
};

/** Nothing is subtracted before encoding: its `AutoEncoderNew`, which calls the output's bias the decoder's. */
const UNSUBTRACTED: StateDict = {
  dictClass: "AutoEncoderNew",
  layout: layout({ ...ENCODER, "decoder.weight": "decoder.weight", bias: "decoder.bias" }, "zero"),
};

/** Two biases, for inputs and outputs of different widths; no class of dictionary_learning has them. */
const OWN: StateDict = {
  dictClass: "InputBiasAutoEncoder",
  layout: layout({ input_bias: "input_bias", bias: "bias", ...ENCODER, "decoder.weight": "decoder.weight" }, "own"),
};

/** The class whose parameters the file seems to hold; `checkTensors` says whether all are there. */
export const stateDictIn = ({ tensors }: Source): StateDict => {
  const names = new Set(tensors.map(({ name }) => name));
  if (names.has("input_bias")) return OWN;
  return names.has("decoder.bias") && !names.has("bias") ? UNSUBTRACTED : TIED;
};

/** How an `ae.pt` of dictlearn stores a dictionary: unchanged. */
export const stateDictFor = ({ inputBias, inputWidth, outputWidth }: StoredShape): StateDict => {
  if (inputBias === "none") return TIED;
  return inputBias === "zero" && inputWidth === outputWidth ? UNSUBTRACTED : OWN;
};

/** How a class of dictionary_learning stores it: an input bias is folded into the encoder's. */
export const stateDictOfClass = ({ inputBias, inputWidth, outputWidth }: StoredShape): StateDict => {
  if (inputWidth !== outputWidth) {
    throw notRepresentable(
      `dictionary_learning has no dictionary from ${inputWidth} to ${outputWidth} coordinates: input and output have one width there.`,
      "Convert it to sae_lens, whose transcoders have two widths.",
    );
  }
  return inputBias === "none" ? TIED : UNSUBTRACTED;
};
