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

describe("the snippets of a bridge", () => {
  it("share a namespace, which another bridge on the same worker has not", async () => {
    await using other = await openBridge({ worker: bridge.worker });
    await other.py`
      import math as m
      from dataclasses import dataclass

      tau = 2 * m.pi

      @dataclass
      class Point:
          x: float
          y: "float"

      def area(radius):
          return tau / 2 * radius**2
    `;
    expect(await other.py`[round(area(2) / m.pi, 6), Point(1.0, 2.0).y]`).toEqual([4, 2]);
    expect(await other.py`tau = 3`).toBeNull();
    expect(await other.py`area(2)`).toBe(6);
    expect((await rejection(bridge.py`tau`)).message).toMatch(/^NameError: name 'tau' is not defined/);
    await rejection(other.py`
      before = 1
      1 / 0
    `);
    expect(await other.py`before`).toBe(1);
  });

  it("keep the values that were put into them for functions, and no others", async () => {
    await using other = await openBridge({ worker: bridge.worker });
    const before = await handles();
    await using tensor = (await other.py`__import__("torch").ones(3)`) as Handle;
    await other.py`
      import weakref
      seen = weakref.ref(${tensor})
      def scaled(x):
          return x * ${3}
    `;
    const called = async () => (await other.py`${"inner"}`) as string;
    expect(await other.py`[${called}(), ${"outer"}, scaled(2)]`).toEqual(["inner", "outer", 6]);
    await tensor.release();
    expect(await other.py`seen() is None`).toBe(true);
    expect(await handles()).toBe(before);
  });

  it("leave nothing behind when their bridge on another's worker is closed", async () => {
    const other = await openBridge({ worker: bridge.worker });
    const module = (await other.py`
      __name__
    `) as string;
    expect(await bridge.py`${module} in __import__("sys").modules`).toBe(true);
    await other.close();
    expect(await bridge.py`${module} in __import__("sys").modules`).toBe(false);
  });
});

describe("what Python prints", () => {
  it("comes to onOutput in order and before the answer, warnings and a proxy's calls included", async () => {
    const lines: string[] = [];
    await using loud = await openBridge({
      worker: bridge.worker,
      onOutput: (text, stream) => lines.push(`${stream}: ${text}`),
    });
    await loud.py`
      import sys, warnings
      print("one")
      print("two", file=sys.stderr)
      warnings.warn("careful")
      print("no line break", end="")
    `;
    expect(lines.map((line) => line.split("\n")[0])).toEqual([
      "stdout: one",
      "stderr: two",
      expect.stringMatching(/^stderr: <snippet \d+>:4: UserWarning: careful$/),
      "stdout: no line break",
    ]);
    lines.length = 0;
    const builtins = await loud.python("builtins");
    await builtins.print("by a proxy");
    expect(lines).toEqual(["stdout: by a proxy\n"]);
    lines.length = 0;
    await rejection(loud.py`
      print("before the end")
      1 / 0
    `);
    expect(lines).toEqual(["stdout: before the end\n"]);
  });

  it("is the script's own output unless it says otherwise", async () => {
    const script = `
      import { openBridge } from ${JSON.stringify(path("src/nnsight/bridge/index.ts"))};
      const bridge = await openBridge();
      console.log("first");
      await bridge.py\`print("second")\`;
      console.log("third");
      await bridge.close();
    `;
    expect(await runScript(script, { DICTLEARN_PYTHON: await python() })).toBe("first\nsecond\nthird");
  });
});

describe("a tensor of the bridge in a trace", () => {
  const layer = "gpt_neox.layers[1].mlp";
  const width = () => model.facts.hidden_size ?? 0;

  it("is an operand: by its handle, or with its shape", async () => {
    await using handle = (await bridge.py`__import__("torch").full((${width()},), 2.0)`) as Handle;
    await using tensor = await bridge.tensor(bridge.proxy(handle));
    expect(tensor).toMatchObject({ shape: [width()], dtype: "float32" });
    await using result = await model.trace("The quick brown fox", (t) => {
      const x = t.at(layer).output;
      const before = x.save();
      x.steer(handle, 0.5);
      return {
        before,
        added: x.add(handle).sub(x).save(),
        value: t.value(handle).mul(3).save(),
        known: t.cat([tensor, handle]).save(),
        after: t.at(layer).output.save(),
      };
    });
    const [before, after] = [await result.before.array(), await result.after.array()].map((each) =>
      Array.from(each, Number),
    ) as [number[], number[]];
    for (const [index, each] of after.entries()) expect(each).toBeCloseTo((before[index] ?? 0) + 1, 6);
    expect(new Set((await result.value.list()) as number[])).toEqual(new Set([6]));
    expect(result.known.shape).toEqual([2 * width()]);
    expect((await result.added.max()).data[0]).toBeCloseTo(2, 5);
  });

  it("is refused in one sentence where it is none", async () => {
    await using list = (await bridge.py`object()`) as Handle;
    const trace = async (operand: unknown) =>
      await rejection(
        model.trace("The", (t) => ({
          x: t
            .at(layer)
            .output.add(operand as Handle)
            .save(),
        })),
      );
    expect((await trace(list)).message).toMatch(/add: Handle \d+ is a object, but a Tensor is needed here\.$/);
    expect(await trace(bridge.proxy(list))).toMatchObject({
      message: expect.stringMatching(/add: a function or a proxy is no value of a trace$/),
      hint: expect.stringContaining("await bridge.tensor(proxy)"),
    });
    expect(await rejection(bridge.tensor(list))).toMatchObject({ code: "wrong_kind" });
    expect((await rejection(bridge.py("1 + 1" as never))).message).toBe('bridge.py takes a template and not "1 + 1".');
    expect((await rejection(openBridge({ pyhton: "x" } as never))).message).toBe(
      "Unknown option pyhton of openBridge. Did you mean python?",
    );
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
    // The worker's operations need its own model, not nnsight's inside it.
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

  it("has the line of the script that asked for it", async () => {
    const here = /bridge\.test\.ts:\d+/;
    await using tensor = (await bridge.py`__import__("torch").zeros(4)`) as Handle;
    const failures = [
      await rejection(bridge.py`1 / 0`),
      await rejection((async () => await bridge.proxy(tensor).reshape(7, 7))()),
      await rejection(model.tokenizer.decode([1_000_000])),
      await rejection(bridge.tensor(bridge.proxy(model))),
      await rejection(LanguageModel.load("no-such-folder/model.gguf", { worker: bridge.worker })),
    ];
    for (const error of failures) {
      expect(error.stack, error.message).toMatch(here);
      expect(error.stack?.startsWith(`${error.name}: ${error.message.split("\n")[0]}`)).toBe(true);
    }
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
