import { z } from "zod";
import { method } from "./method.ts";
import { TraceOperation } from "./trace-operations.ts";
import { float, Handle, int, ModuleFacts, Prompts, SavedTensor, StopReason, TensorFrame } from "./types.ts";

/** The methods behind `LanguageModel`'s tokenizer, modules, generation and traces, on the `data` channel. */
export const nnsightMethods = {
  /**
   * Every module with the shapes of its first input and of its output, and when a forward pass comes by them, learned from
   * one pass over `contexts` contexts of `tokens` tokens. The model itself has the empty path.
   */
  "model.modules": method({ model: Handle, contexts: int(), tokens: int() }, { modules: z.array(ModuleFacts) }),
  /** Ids of each text. `special_tokens`: with those that the tokenizer adds by itself. */
  "tokenizer.encode": method(
    { model: Handle, texts: z.array(z.string()), special_tokens: z.boolean() },
    { ids: z.array(z.array(int())) },
  ),
  /** The text of each list of ids. `pieces`: also that of every id, bytes of incomplete characters in hexadecimal. */
  "tokenizer.decode": method(
    { model: Handle, ids: z.array(z.array(int())), skip_special_tokens: z.boolean(), pieces: z.boolean() },
    { texts: z.array(z.string()), pieces: z.array(z.array(z.string())) },
  ),
  /** The batch that a trace over these prompts runs on: ids, attention mask and position ids, (prompts, tokens) each. */
  "tokenizer.batch": method(
    { model: Handle, prompts: Prompts },
    { ids: z.array(z.array(int())), mask: z.array(z.array(int())), positions: z.nullable(z.array(z.array(int()))) },
  ),
  /**
   * Continues each prompt by up to `max_new_tokens` tokens. `sample` null takes the likeliest token each time; otherwise
   * tokens are drawn from a stream of the seed. The program runs in every pass of the model; its failures are those of
   * `trace.run`. Reports progress by the token, and can be cancelled at each.
   */
  "model.generate": method(
    {
      model: Handle,
      prompts: Prompts,
      max_new_tokens: int(),
      min_new_tokens: int(),
      stop: z.array(z.string()),
      sample: z.nullable(
        z
          .object({ seed: int(), temperature: float, top_k: z.nullable(int()), top_p: z.nullable(float) })
          .meta({ id: "Sampling" }),
      ),
      program: z.array(TraceOperation),
    },
    {
      /** Ids of the new tokens of each prompt, the end-of-text token included where it came. */
      ids: z.array(z.array(int())),
      texts: z.array(z.string()),
      prompt_tokens: z.array(int()),
      stopped: z.array(StopReason),
      /** Of each pass, in the order of the program's saves. */
      saved: z.array(z.array(SavedTensor)),
    },
  ),
  /**
   * Runs a recorded program inside one nnsight trace over the prompts, one list of them for each invoke. stop: end the
   * forward pass behind the last operation. gradients: keep what gradients need. Without a model, the program has no reads
   * or writes. Answers in the order of the program's saves. A failure has the number of its operation in `data.operation`.
   */
  "trace.run": method(
    {
      model: z.nullable(Handle),
      invokes: z.array(Prompts),
      program: z.array(TraceOperation),
      stop: z.boolean(),
      gradients: z.boolean(),
    },
    { saved: z.array(SavedTensor) },
  ),
  /** The numbers of a saved tensor; whole numbers and truth values as int64, half precision as float32. */
  "tensor.fetch": method({ tensor: Handle }, { tensor: TensorFrame }),
};
