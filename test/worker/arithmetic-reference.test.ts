import { execa } from "execa";
import { expect, it } from "vitest";
import { openBridge } from "../../src/nnsight/bridge/index.ts";
import { Worker } from "../../src/worker/index.ts";
import { python } from "../support.ts";

const NAMES = ["ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS"] as const;

/** The instructions that torch uses, the best available ones, and the process's setting. */
const FOUND = `
import json, os, torch
best = "AVX512" if torch.cpu._is_avx512_supported() else "AVX2" if torch.cpu._is_avx2_supported() else "DEFAULT"
told = [os.environ.get(name) for name in ${JSON.stringify(NAMES)}]
found = json.dumps([torch.backends.cpu.get_cpu_capability(), best, told])`;

const ours = (over: NodeJS.ProcessEnv) => NAMES.map((name) => over[name] ?? process.env[name] ?? null);

/** The instructions that a setting selects, on a machine whose best ones are `best`. */
const asked = (setting: string | null | undefined, best: string): string =>
  setting === "default" || best === "DEFAULT" ? "DEFAULT" : "AVX2";

// scripts/test.js runs these files under several settings, which prove nothing unless they take effect.
it.each<[string, NodeJS.ProcessEnv]>([
  ["of this run of the tests", {}],
  [
    "of a single worker, beside a warm Python of another",
    { ATEN_CPU_CAPABILITY: "default", ONEDNN_MAX_CPU_ISA: "SSE41" },
  ],
])("the arithmetic %s reaches its worker", async (_, environment) => {
  await using worker = await Worker.start({ python: await python(), environment });
  await using bridge = await openBridge({ worker });
  const [found, best, told] = JSON.parse((await bridge.py([`${FOUND}\nfound`] as never)) as string);
  const expected = ours(environment);
  expect(told).toEqual(expected);
  if (expected[0] !== null) expect(found).toBe(asked(expected[0], best));
});

it("and the plain loops beside it", async () => {
  const told = `import json, os; print(json.dumps([os.environ.get(name) for name in ${JSON.stringify(NAMES)}]))`;
  expect(JSON.parse((await execa(await python(), ["-c", told])).stdout)).toEqual(ours({}));
});
