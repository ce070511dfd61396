import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TINY, temporaryFolder } from "../cli/support.ts";
import { coldPython, path } from "../support.ts";

/** A user's own project, outside this repository, into which the tarball of `npm pack` is installed. */
let project: string;
let tarball: string;
let packed: string[];

const bin = (name: string): string => path(`node_modules/.bin/${name}`);

beforeAll(async () => {
  const folder = temporaryFolder();
  // The build of `npm install` is packed: the package's scripts need not run again.
  const { stdout } = await execa("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: path("."),
  });
  const [entry] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  tarball = join(folder, entry.filename);
  packed = entry.files.map((file) => file.path);
  project = join(folder, "project");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "project", type: "module", private: true }));
  await execa("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", tarball], { cwd: project });
});
afterAll(() => rmSync(join(project, ".."), { recursive: true, force: true }));

describe("the tarball", () => {
  it("holds the program, the worker, the configs, and nothing that is not needed", () => {
    const needed =
      /^(dist\/.+\.(js|d\.ts)|src\/report\/page\/.+\.(js|css)|configs\/.+\.(yaml|json)|docs\/[^/]+\.md|py_worker\/(pyproject\.toml|requirements\.txt|dictlearn_worker\/.+\.py)|README\.md|LICENSE|package\.json)$/;
    expect(packed.filter((file) => !needed.test(file))).toEqual([]);
    for (const file of [
      "dist/cli/main.js",
      "dist/nnsight/bridge/index.js",
      "py_worker/dictlearn_worker/__main__.py",
      "configs/quickstart.yaml",
      "src/report/page/report.js",
    ]) {
      expect(packed).toContain(file);
    }
  });

  it("is found in order by publint and attw", async () => {
    const lint = await execa(bin("publint"), ["run", tarball, "--strict"], { reject: false });
    expect(lint.exitCode, lint.stdout + lint.stderr).toBe(0);
    // The package has only ES modules: CommonJS and Node 10 are not checked.
    const types = await execa(bin("attw"), [tarball, "--profile", "esm-only"], { reject: false });
    expect(types.exitCode, types.stdout + types.stderr).toBe(0);
  });
});

describe("in a user's own project", () => {
  it.each([
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ])("TypeScript finds every type, with module %s and resolution %s", async (module, resolution) => {
    writeFileSync(
      join(project, "script.ts"),
      `
      import { ActivationBuffer, evaluate, LanguageModel, type StepMetrics, trainSAE } from "dictlearn";
      import { type Bridge, openBridge } from "dictlearn/bridge";

      export const main = async (): Promise<number> => {
        const seen: StepMetrics[] = [];
        await using model = await LanguageModel.load("some/model", { device: "cpu" });
        const submodule = model.at("gpt_neox.layers[1].mlp");
        const buffer = await ActivationBuffer.create(["text"], model, submodule, { n_ctxs: 8 });
        const ae = await trainSAE(buffer, { dictionary_size: 16, onMetrics: (metrics) => seen.push(metrics) });
        const { statistics } = await evaluate(ae, { model, submodule, data: { path: "held-out.jsonl" } });
        await using bridge: Bridge = await openBridge({ worker: model.worker });
        await bridge.py\`1 + 1\`;
        // @ts-expect-error an option that does not exist
        await LanguageModel.load("some/model", { devise: "cpu" });
        return seen.length + (statistics.l0?.value ?? 0);
      };
      `,
    );
    mkdirSync(join(project, "types"), { recursive: true });
    if (module === "nodenext") symlinkSync(path("node_modules/@types/node"), join(project, "types", "node"));
    const options = ["--noEmit", "--strict", "--skipLibCheck", "false", "--target", "es2022"];
    const resolved = ["--module", module, "--moduleResolution", resolution, "--typeRoots", "types", "--types", "node"];
    const lib = ["--lib", "es2023,esnext.disposable"];
    const { exitCode, stdout } = await execa(bin("tsc"), [...options, ...resolved, ...lib, "script.ts"], {
      cwd: project,
      reject: false,
    });
    expect(exitCode, stdout).toBe(0);
  });

  it("plain JavaScript trains with it, and npx finds the program", async () => {
    writeFileSync(
      join(project, "script.js"),
      `
      import { ActivationBuffer, LanguageModel, trainSAE } from "dictlearn";
      import { openBridge } from "dictlearn/bridge";

      const model = await LanguageModel.load(${JSON.stringify(TINY)}, { device: "cpu" });
      const submodule = model.at("gpt_neox.layers[1].mlp");
      const buffer = await ActivationBuffer.create(["Some text of a few words"], model, submodule, {
        n_ctxs: 2, ctx_len: 8, out_batch_size: 2,
      });
      const ae = await trainSAE(buffer, { dictionary_size: 64, resample_steps: null });
      await ae.save("ae.pt");
      const bridge = await openBridge({ worker: model.worker });
      console.log(await bridge.py\`sorted(__import__("torch").load("ae.pt", weights_only=True))\`);
      await bridge.close();
      await model.worker.close();
      `,
    );
    // A cold start, as for users.
    const env = { DICTLEARN_PYTHON: await coldPython(), OMP_NUM_THREADS: "1" };
    const script = await execa(process.execPath, ["script.js"], { cwd: project, reject: false, env });
    expect(script.exitCode, script.stderr).toBe(0);
    expect(script.stdout).toContain("'bias', 'decoder.weight', 'encoder.bias', 'encoder.weight'");
    const { stdout } = await execa("npx", ["--no-install", "dictlearn", "--version"], { cwd: project });
    expect(stdout).toBe(JSON.parse(readFileSync(path("package.json"), "utf8")).version);
  });

  it("the help's first examples work: a config of one's own finds its schema, and the shipped configs have names", async () => {
    const env = { DICTLEARN_PYTHON: await coldPython(), OMP_NUM_THREADS: "1" };
    const dictlearn = async (...args: string[]) =>
      await execa("npx", ["--no-install", "dictlearn", ...args], { cwd: project, reject: false, env });
    const made = await dictlearn("init", "my.yaml");
    expect(made.exitCode, made.stderr).toBe(0);
    const schema = /^# yaml-language-server: \$schema=(\S+)$/m.exec(
      readFileSync(join(project, "my.yaml"), "utf8"),
    )?.[1];
    expect(JSON.parse(readFileSync(join(project, schema ?? ""), "utf8"))).toHaveProperty("properties.train");
    // No model hub here: the model, its text and its site are small ones.
    const here = ["--model", TINY, "--data", join(TINY, "../texts.jsonl"), "--dictionaries.0.submodule"];
    for (const config of ["my.yaml", "quickstart"]) {
      const dry = await dictlearn("train", config, "--dry-run", ...here, "gpt_neox.layers.1.mlp");
      expect(dry.exitCode, dry.stderr).toBe(0);
      expect(dry.stdout).toMatch(/^memory/m);
    }
    // What the help refers to is in the package.
    const cited = /\S*configs\/schema\.json/.exec((await dictlearn("train", "--help")).stdout)?.[0];
    expect(resolve(project, cited ?? "")).toBe(join(project, schema ?? ""));
  });
});
