import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { execa } from "execa";
import { expect, it } from "vitest";
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
  // The API reference is made by `npm run docs`.
  const local = links.filter(({ target }) => !/^(https?:|mailto:|api\/)/.test(target));
  expect(local.length).toBeGreaterThan(10);
  const broken = local.filter(({ name, target }) => !existsSync(resolve(path(dirname(name)), target)));
  expect(broken).toEqual([]);
});

it("the README compares with the figures that were measured last", () => {
  const section = (name: string, heading: string): string => {
    const text = pages.find((page) => page.name === name)?.text ?? "";
    return text.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  };
  const cells = (text: string): string[][] =>
    [...text.matchAll(/^\| (\d.*) \|$/gm)].map(([, row]) => (row ?? "").split(" | ").map((cell) => cell.trim()));
  const said = section("README.md", "How it compares");
  const peers = section("docs/benchmarks.md", "peers");
  const measured = cells(peers).map(([, l0, library = "", ms = ""]) => ({ l0, library, ms: ms.split(" ")[0] }));
  const libraries = ["dictlearn", "dictionary_learning,", "SAELens,", "plain reference loop"];
  const rows = cells(said);
  expect(rows).toHaveLength(3);
  for (const [features = "", ...times] of rows) {
    const l0 = /^\d+/.exec(features)?.[0];
    const found = libraries.map((name) => measured.find((each) => each.l0 === l0 && each.library.startsWith(name))?.ms);
    expect(times, `L0 ${l0}`).toEqual(found);
  }
  expect(peers).toContain("dictionary-learning 0.1.0, sae-lens 6.54.0");
  const whole = section("docs/benchmarks.md", "end-to-end");
  const ratios = [...said.matchAll(/(\d+\.\d+) times/g)].map(([, ratio]) => ratio ?? "");
  expect(ratios.length).toBeGreaterThan(1);
  expect(ratios.filter((ratio) => !whole.includes(`| ${ratio} (`))).toEqual([]);
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
  // Names that need a hub and a GPU, and the page's file names, in this machine's terms.
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
