import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LanguageModel } from "../../src/index.ts";
import { type Bridge, openBridge } from "../../src/nnsight/bridge/index.ts";
import { Handle, RemoteError, WorkerDiedError } from "../../src/worker/index.ts";
import { TINY } from "../cli/support.ts";
import { path, python, rejection, runScript } from "../support.ts";

let bridge: Bridge;
let model: LanguageModel;

beforeAll(async () => {
  bridge = await openBridge({ python: await python() });
  model = await LanguageModel.load(TINY, { worker: bridge.worker });
});
afterAll(async () => await bridge.close());

const handles = async (): Promise<number> => (await bridge.worker.call("status", {})).handles;

describe("a snippet", () => {
  it("gives the value of its last expression", async () => {
    expect(await bridge.py`1 + ${2}`).toBe(3);
    expect(await bridge.py`x = 1`).toBeNull();
    const text = 'text with "quotes" and {braces}\n';
    const value = { a: [1, 2.5, 0, true, null], b: text };
    expect(
      await bridge.py`
      before = ${value}
      [before, {**before, "c": (1, 2)}]
    `,
    ).toEqual([value, { ...value, c: [1, 2] }]);
    expect(await bridge.py`${new Float32Array([0.5, 2])}`).toEqual([0.5, 2]);
  });

  it("gives a handle of what has no value, and takes handles, models and proxies", async () => {
    const before = await handles();
    const tensor = await bridge.py`
      import torch
      torch.arange(6.0).reshape(2, 3)
    `;
    if (!(tensor instanceof Handle)) throw new Error("Expected a handle.");
    const proxy = bridge.proxy(tensor);
    expect(await bridge.py`[${tensor} is ${proxy}, ${proxy}.sum().item(), hasattr(${model}, "trace")]`).toEqual([
      true,
      15,
      true,
    ]);
    expect(await handles()).toBe(before + 1);
    await tensor.release();
    expect(await handles()).toBe(before);
    expect(await rejection(bridge.py`${proxy}`)).toMatchObject({ code: "stale_handle" });
  });

  it("traces with nnsight, on the model that the rest of dictlearn uses", async () => {
    const text = "The quick brown fox";
    const traced = await bridge.py`
      with ${model}.trace(${text}):
          output = ${model}.gpt_neox.layers[1].mlp.output.save()
      output.detach()
    `;
    const hooked = await bridge.py`
      import torch
      seen = []
      layer = ${model}._module.gpt_neox.layers[1].mlp
      hook = layer.register_forward_hook(lambda module, inputs, output: seen.append(output))
      with torch.no_grad():
          ${model}._module(**${model}.tokenizer(${text}, return_tensors="pt"))
      hook.remove()
      seen[0]
    `;
    expect(await bridge.py`${traced}.shape == ${hooked}.shape and bool((${traced} == ${hooked}).all())`).toBe(true);
    await (traced as Handle).release();
    await (hooked as Handle).release();
  });

  it("may call JavaScript, which may call Python again", async () => {
    const twice = async (x: unknown) => (await bridge.py`${x} * 2`) as number;
    expect(await bridge.py`[${twice}(i) for i in range(3)]`).toEqual([0, 2, 4]);
    const viaWorker = async () => (await bridge.worker.call("status", {})).handles;
    expect(await bridge.py`${viaWorker}() >= 1`).toBe(true);
  });
});

describe("a proxy", () => {
  it("shows a module, its functions and what they give", async () => {
    const torch = await bridge.python("torch");
    const tensor = await torch.arange(6);
    expect(await bridge.text(tensor)).toBe("tensor([0, 1, 2, 3, 4, 5])");
    expect(await bridge.value(await tensor.tolist())).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await bridge.value(await (await tensor.sum()).item())).toBe(15);
    const zeros = await torch.zeros$(2, 3, { dtype: await torch.float64 });
    expect(await bridge.text(await zeros.dtype)).toBe("torch.float64");
  });

  it("and a handle show the same object, both ways", async () => {
    const proxy = bridge.proxy(model);
    expect(await bridge.value(await proxy.config.num_hidden_layers)).toBeGreaterThan(0);
    await using again = await bridge.handle(proxy);
    // The worker's operations want its own model, not nnsight's inside it.
    const sites = [{ submodule: "gpt_neox.layers.1.mlp", io: "out" as const }];
    const { widths } = await bridge.worker.call("model.widths", { model: again.ref, sites });
    expect(widths).toHaveLength(1);
  });
});

describe("a failure", () => {
  it("of a snippet says what Python said, and where", async () => {
    const error = await rejection(bridge.py`
      def half(x):
          return x / 0

      half(1)
    `);
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({
      code: "python_error",
      message: "ZeroDivisionError: division by zero (line 2 of the snippet)",
    });
    expect((error.cause as Error).stack).toMatch(/line 2, in half\n +return x \/ 0/);
  });

  it("of the text is a SyntaxError with its line", async () => {
    const error = await rejection(bridge.py`
      x = 1
      y = x +
    `);
    expect(error.message).toBe("SyntaxError: invalid syntax (line 2 of the snippet)");
  });

  it("of a proxy's method or attribute is one short sentence", async () => {
    await using tensor = (await bridge.py`__import__("torch").zeros(400)`) as Handle;
    const reshaped = await rejection(bridge.proxy(tensor).reshape(7, 7));
    expect(reshaped.message).toBe("RuntimeError: shape '[7, 7]' is invalid for input of size 400");
    const missing = await rejection((async () => await bridge.proxy(tensor).nothing)());
    expect(missing).toMatchObject({ code: "python_error" });
    expect(missing.message.length).toBeLessThan(400);
  });

  it("is what becomes of a number that is not finite, in both directions", async () => {
    for (const promise of [
      bridge.py`float("nan")`,
      bridge.py`[1, {"a": float("-inf")}]`,
      (async () => await (await bridge.python("math")).inf)(),
    ]) {
      expect(await rejection(promise)).toMatchObject({ code: "non_finite_result" });
    }
    expect(await rejection(bridge.py`${[Number.NaN]}`)).toMatchObject({ code: "config" });
    expect(await rejection((async () => await (await bridge.python("math")).sqrt(Number.NaN))())).toMatchObject({
      code: "config",
    });
  });

  it("is a number that JavaScript cannot hold exactly, outside a handle", async () => {
    expect(await bridge.py`2**53 - 1`).toBe(2 ** 53 - 1);
    await using large = (await bridge.py`2**60`) as Handle;
    expect(await bridge.py`str(${large})`).toBe(String(2n ** 60n));
    expect(await rejection(bridge.value(bridge.proxy(large)))).toMatchObject({ code: "no_value" });
  });

  it("is a proxy of what has no object behind it", async () => {
    expect(() => bridge.proxy(3)).toThrow("3 is a value already");
  });

  it("does not harm what follows", async () => {
    expect(await bridge.py`1 + 1`).toBe(2);
  });
});

// pythonia itself would wait 100 s for an answer.
it("a dead Python is an error of a second at most, for what waits and for what comes", {
  timeout: 90_000,
}, async () => {
  await using mortal = await openBridge({ python: await python() });
  const waits = rejection(mortal.py`__import__("time").sleep(60)`);
  const started = performance.now();
  process.kill(mortal.worker.pid, "SIGKILL");
  expect(await waits).toBeInstanceOf(WorkerDiedError);
  expect(await rejection(mortal.py`1`)).toBeInstanceOf(WorkerDiedError);
  expect(performance.now() - started).toBeLessThan(1000);
});

it("nothing keeps Node alive after close, and pythonia starts no Python of its own", async () => {
  const script = `
    import { openBridge } from ${JSON.stringify(path("src/nnsight/bridge/index.ts"))};
    const bridge = await openBridge();
    const proxy = await bridge.python("os");
    console.log((await proxy.getpid()) === bridge.worker.pid);
    await bridge.close();
    console.log(Date.now());
  `;
  const [same, closed] = (await runScript(script, { DICTLEARN_PYTHON: await python() })).split("\n");
  expect(same).toBe("true");
  expect(Date.now() - Number(closed)).toBeLessThan(1000);
});
