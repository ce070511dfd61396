import { z } from "zod";
import { method } from "./method.ts";
import { TraceOperation } from "./trace-operations.ts";
import { float, Handle, int, ModuleFacts, Prompts, SavedTensor, StopReason, TensorFrame } from "./types.ts";

/** The methods for `LanguageModel`'s tokenizer, modules, generation and traces, on the `data` channel. */
export const nnsightMethods = {
  /**
   * Every module with the shapes of its first input and of its output, and their order in a forward pass, from one pass
   * over `contexts` contexts of `tokens` tokens. The model itself has the empty path.
   */
  "model.modules": method({ model: Handle, contexts: int(), tokens: int() }, { modules: z.array(ModuleFacts) }),
  /** Ids of each text. `special_tokens`: include those that the tokenizer adds. */
  "tokenizer.encode": method(
    { model: Handle, texts: z.array(z.string()), special_tokens: z.boolean() },
    { ids: z.array(z.array(int())) },
  ),
  /**
   * The text of each list of ids. `pieces`: also the text of every id, bytes of incomplete characters in hexadecimal.
   */
  "tokenizer.decode": method(
    { model: Handle, ids: z.array(z.array(int())), skip_special_tokens: z.boolean(), pieces: z.boolean() },
    { texts: z.array(z.string()), pieces: z.array(z.array(z.string())) },
  ),
  /** The batch that a trace over these prompts uses: ids, attention mask and position ids, (prompts, tokens) each. */
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
      /** Ids of the new tokens of each prompt, including an end-of-text token. */
      ids: z.array(z.array(int())),
      texts: z.array(z.string()),
      prompt_tokens: z.array(int()),
      stopped: z.array(StopReason),
      /** For each pass, in the order of the program's saves. */
      saved: z.array(z.array(SavedTensor)),
    },
  ),
  /**
   * Runs a recorded program inside one nnsight trace over the prompts, one list of them for each invoke. stop: end the
   * forward pass after the last operation. gradients: keep the graph for gradients. Without a model, the program has no
   * reads or writes. Answers in the order of the program's saves. A failure has the number of its operation in
   * `data.operation`.
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
  /** The numbers of a saved tensor; integers and booleans as int64, half precision as float32. */
  "tensor.fetch": method({ tensor: Handle }, { tensor: TensorFrame }),
};
