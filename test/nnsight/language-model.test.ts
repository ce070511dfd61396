import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CancelledError, ConfigError } from "../../src/errors.ts";
import { LanguageModel } from "../../src/nnsight/index.ts";
import { TINY } from "../cli/support.ts";
import { python, rejection } from "../support.ts";

let model: LanguageModel;
beforeAll(async () => {
  model = await LanguageModel.load(TINY, { device: "cpu", python: await python() });
});
afterAll(async () => await model[Symbol.asyncDispose]());

describe("a model's modules", () => {
  it("are listed with class, parameters, widths, and the order of a forward pass", async () => {
    const modules = await model.modules();
    const at = Object.fromEntries(modules.map((each) => [each.path, each]));
    expect(modules.map(({ path }) => path).slice(1)).toEqual(model.facts.modules);
    expect(modules[0]).toMatchObject({ path: "", className: "GPTNeoXForCausalLM", parameters: model.facts.parameters });
    const width = model.facts.hidden_size;
    expect(at["gpt_neox.layers.1.mlp.dense_h_to_4h"]).toMatchObject({
      className: "Linear",
      parameters: 4 * (width ?? 0) * ((width ?? 0) + 1),
      inputWidth: width,
      outputWidth: 4 * (width ?? 0),
      calls: 1,
      output: {
        kind: "tensor",
        tensors: [{ at: [], shape: ["batch", "position", 4 * (width ?? 0)], dtype: "float32" }],
      },
    });
    expect(at["gpt_neox.layers.1.attention"]?.output).toMatchObject({ kind: "sequence" });
    expect(at[""]?.output).toMatchObject({ kind: "mapping", tensors: [{ at: ["logits"] }] });
    // The container of the layers is never called itself.
    expect(at["gpt_neox.layers"]).toMatchObject({ calls: 0, input: null, output: null });
    const events = ["", "gpt_neox.layers.0", "gpt_neox.layers.0.mlp"].map(
      (path) => at[path]?.input?.event ?? Number.NaN,
    );
    const ends = ["gpt_neox.layers.0.mlp", "gpt_neox.layers.0", ""].map(
      (path) => at[path]?.output?.event ?? Number.NaN,
    );
    expect([...events, ...ends]).toEqual([...events, ...ends].toSorted((a, b) => a - b));
  });

  it("are found in both forms, and a wrong path answers with the nearest ones", () => {
    expect(model.at("gpt_neox.layers[1].mlp")).toBe("gpt_neox.layers.1.mlp");
    expect(model.at("gpt_neox.layers.1.mlp")).toBe("gpt_neox.layers.1.mlp");
    try {
      model.at("gpt_neox.layer[1].mpl");
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      expect(error).toMatchObject({
        code: "unknown_submodule",
        message: "The model has no submodule 'gpt_neox.layer[1].mpl'.",
        hint: expect.stringContaining("gpt_neox.layers.1.mlp"),
      });
    }
  });
});

describe("a model's tokenizer", () => {
  it("encodes and decodes, and says what each token is", async () => {
    const ids = await model.tokenizer.encode("The cat sat.");
    expect(ids.length).toBeGreaterThan(2);
    expect(await model.tokenizer.decode(ids)).toBe("The cat sat.");
    expect(await model.tokenizer.decode(BigInt64Array.from(ids, BigInt))).toBe("The cat sat.");
    expect((await model.tokenizer.pieces(ids)).join("")).toBe("The cat sat.");
    expect(await rejection(model.tokenizer.decode([10 ** 6]))).toMatchObject({ code: "unknown_token" });
  });

  it("pads a batch on the left, as a trace does", async () => {
    const texts = ["The cat sat on the mat.", "Hello"];
    const rows = await Promise.all(texts.map(async (text) => await model.tokenizer.encode(text)));
    const { ids, mask, positions } = await model.tokenizer.batch(texts);
    const [long = [], short = []] = rows;
    expect(ids[0]).toEqual(long);
    expect(ids[1]?.slice(-short.length)).toEqual(short);
    expect(mask[1]).toEqual([...long.map(() => 0), ...short.map(() => 1)].slice(-long.length));
    expect(positions?.[1]?.slice(-short.length)).toEqual(short.map((_, index) => index));
  });
});

describe("generation", () => {
  it("takes the likeliest token, and one prompt's tokens do not depend on its neighbours", async () => {
    const prompts = ["The cat sat on the mat and", "Hello"];
    const together = await model.generate(prompts, { maxNewTokens: 6 });
    const alone = await model.generate("Hello", { maxNewTokens: 6 });
    expect(together).toHaveLength(2);
    expect(together[1]).toEqual(alone[0]);
    expect(alone[0]?.text).toBe(await model.tokenizer.decode(alone[0]?.ids ?? [], { skipSpecialTokens: true }));
    const [ids] = await model.generate([await model.tokenizer.encode("Hello")], { maxNewTokens: 6 });
    expect(ids).toEqual(alone[0]);
  });

  it("draws the same tokens for the same seed, others for another", async () => {
    const draw = async (seed: number) =>
      await model.generate("Hello", { maxNewTokens: 12, minNewTokens: 12, sample: { seed, temperature: 1.5 } });
    const [first, again, other] = [await draw(1), await draw(1), await draw(2)];
    expect(first).toEqual(again);
    expect(first).not.toEqual(other);
    expect(first[0]).toMatchObject({ stopped: "length", ids: { length: 12 } });
  });

  it("ends at a text, and counts its tokens", async () => {
    const [whole] = await model.generate("Hello", { maxNewTokens: 12, minNewTokens: 12 });
    const pieces = await model.tokenizer.pieces(whole?.ids ?? []);
    const stop = pieces[2] ?? "";
    const [cut] = await model.generate("Hello", { maxNewTokens: 12, stop });
    expect(stop).not.toBe("");
    expect(cut?.stopped).toBe("text");
    expect(cut?.text.endsWith(stop)).toBe(true);
    expect(cut?.ids.length).toBeLessThanOrEqual(3);
    expect(cut?.promptTokens).toBe((await model.tokenizer.encode("Hello")).length);
  });

  it("can be cancelled at a token, and refuses numbers that make no sense", async () => {
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    const error = await rejection(
      model.generate("Hello", { maxNewTokens: 100, minNewTokens: 100, signal: controller.signal, onProgress }),
    );
    expect(error).toBeInstanceOf(CancelledError);
    expect((await rejection(model.generate("Hello", { maxNewTokens: 0 }))).message).toBe(
      "generate: maxNewTokens is 0, but must be a whole number above 0.",
    );
    expect(await rejection(model.generate([]))).toBeInstanceOf(ConfigError);
  });
});
