import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { execa } from "execa";
import { expect, it } from "vitest";
import { comparison } from "../bench/comparison.ts";
import { benchmarkPages } from "../bench/report.ts";
import { TINY, temporaryFolder } from "./cli/support.ts";
import { path, python } from "./support.ts";

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  ...readdirSync(path("docs")).map((name) => `docs/${name}`),
]
  .filter((name) => name.endsWith(".md"))
  .map((name) => ({ name, text: readFileSync(path(name), "utf8") }));

const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(([, code]) => code ?? "");

it("every link within the documentation leads somewhere", () => {
  const links = pages.flatMap(({ name, text }) =>
    [...text.matchAll(/\]\(([^)#\s]+)(#[^)]*)?\)/g)].map(([, target]) => ({ name, target: target ?? "" })),
  );
  // `npm run docs` creates the API reference.
  const local = links.filter(({ target }) => !/^(https?:|mailto:|api\/)/.test(target));
  expect(local.length).toBeGreaterThan(10);
  const broken = local.filter(({ name, target }) => !existsSync(resolve(path(dirname(name)), target)));
  expect(broken).toEqual([]);
});

it("the README compares with the figures that were measured last", () => {
  for (const [name, text] of Object.entries(benchmarkPages())) {
    expect(pages.find((page) => page.name === name)?.text, name).toBe(text);
  }
  // The results of `bench -- --write peers` reach the README's table, library by library.
  const { rows } = JSON.parse(readFileSync(path("bench/results/peers.json"), "utf8")) as { rows: string[][] };
  const faster = rows.map(([m = "", l0 = "", library = "", time = "", ...rest]) =>
    library === "SAELens, standard, SAETrainer" && l0 !== "100"
      ? [m, l0, library, "7 (6–8)", ...rest]
      : [m, l0, library, time, ...rest],
  );
  const results = Object.fromEntries(
    ["peers", "peers-end-to-end"].map((name) => [
      name,
      JSON.parse(readFileSync(path(`bench/results/${name}.json`), "utf8")),
    ]),
  );
  const table = comparison({ ...results, peers: { ...results.peers, rows: faster } });
  const cells = (line: string | undefined) => line?.split("|").map((cell) => cell.trim());
  const lines = table.split("\n").filter((line) => line.startsWith("| one step"));
  expect(lines).toHaveLength(3);
  const column = cells(table.split("\n").find((line) => line.includes("SAELens")))?.indexOf("SAELens") ?? -1;
  expect(lines.map((line) => cells(line)?.[column] === "7 ms")).toEqual([false, true, true]);
});

it("every block of TypeScript is right to the compiler", async () => {
  const known: Record<string, string> = {
    model: `declare const model: import("dictlearn").LanguageModel;`,
    ae: `declare const ae: import("dictlearn").AutoEncoder;`,
  };
  const folder = temporaryFolder();
  const files = pages.flatMap(({ name, text }) =>
    blocks(text, "ts").map((code, index) => {
      const used = Object.entries(known).filter(
        ([word]) => !new RegExp(`const ${word}\\b|using ${word}\\b`).test(code),
      );
      const file = `${name.replaceAll(/\W/g, "-")}-${index}.mts`;
      writeFileSync(join(folder, file), `${used.map(([, line]) => line).join("\n")}\n${code}\nexport {};\n`);
      return file;
    }),
  );
  expect(files.length).toBeGreaterThan(4);
  const options = {
    compilerOptions: {
      noEmit: true,
      strict: true,
      target: "es2023",
      module: "nodenext",
      lib: ["es2023", "esnext.disposable"],
      types: ["node"],
      typeRoots: [path("node_modules/@types")],
      allowImportingTsExtensions: true,
      skipLibCheck: true,
      paths: { dictlearn: [path("src/index.ts")], "dictlearn/bridge": [path("src/nnsight/bridge/index.ts")] },
    },
    files,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(options));
  const { exitCode, stdout } = await execa(path("node_modules/.bin/tsc"), ["-p", folder], { reject: false });
  expect(exitCode, stdout).toBe(0);
});

it("the seed's two pieces of Python run in TypeScript as the page for those who come from there has them", async () => {
  const page = pages.find(({ name }) => name === "docs/from-dictionary-learning.md")?.text ?? "";
  const [load, train] = blocks(page, "ts");
  const folder = temporaryFolder();
  // Replaces names that need a hub or a GPU, and the page's file names, by local ones.
  const here = (code = ""): string =>
    code
      .replaceAll('"dictlearn"', JSON.stringify(pathToFileURL(path("src/index.ts")).href))
      .replaceAll("EleutherAI/pythia-70m-deduped", TINY)
      .replaceAll("cuda:0", "cpu")
      .replaceAll("path/to/dictionary/ae.pt", "ae.pt");
  for (const [name, code] of [
    ["train", train],
    ["load", load],
  ] as const) {
    writeFileSync(join(folder, `${name}.mts`), here(code));
    const { exitCode, stdout, stderr } = await execa(
      process.execPath,
      ["--import", pathToFileURL(path("node_modules/tsx/dist/esm/index.mjs")).href, `${name}.mts`],
      { cwd: folder, reject: false, env: { DICTLEARN_PYTHON: await python(), OMP_NUM_THREADS: "1" } },
    );
    expect(exitCode, stderr).toBe(0);
    if (name === "load") expect(stdout).toBe("[ 64, 512 ] [ 64, 32 ] 512");
  }
});

it("npm run docs makes a page for everything that is exported, and no link of it leads nowhere", async () => {
  await execa(process.execPath, [path("scripts/docs.js")], { cwd: path(".") });
  const folder = path("docs/api");
  const written = readdirSync(folder);
  for (const name of ["trainsae", "languagemodel.load", "bridge.py", "evaluate", "trainer"]) {
    expect(written).toContain(`dictlearn.${name}.md`);
  }
  const broken = written.flatMap((name) =>
    [...readFileSync(join(folder, name), "utf8").matchAll(/\]\(\.\/([^)#]+)/g)]
      .map(([, target]) => target ?? "")
      .filter((target) => !existsSync(join(folder, target))),
  );
  expect(broken).toEqual([]);
});
