import { type Measured, titled } from "./table.ts";

/** The README's columns, and each library's name in the benchmarks' rows. */
const LIBRARIES = [
  { name: "dictlearn", row: /^dictlearn$/ },
  { name: "dictionary_learning", row: /^dictionary_learning/ },
  { name: "SAELens", row: /^SAELens/ },
  { name: "sparsify (top-k)", row: /^sparsify.*Signum/ },
] as const;

/** Above this L0 a row measures a dictionary's first, dense steps. */
const DENSE = 1000;

/** The README's table: steps of dictlearn and its peers, from the latest `bench -- peers peers-end-to-end`. */
export const comparison = (results: Readonly<Record<string, Measured>>): string => {
  const peers = table(results, "peers");
  const whole = table(results, "peers-end-to-end");
  const [fewest, more, dense] = peers.rows
    .filter(([, , library]) => library === "dictlearn")
    .map(([, l0]) => Number(l0));
  if (fewest === undefined || more === undefined || dense === undefined) throw new Error("peers has too few rows.");
  const step = (l0: number) =>
    LIBRARIES.map(({ row }) => {
      const found = peers.rows.filter(([, , library = ""]) => row.test(library));
      const near = found.find(([, each]) => similar(Number(each), l0));
      return near === undefined ? "—" : `${middle(near[3])} ms`;
    });
  const rate = (column: number) =>
    LIBRARIES.map(({ row }) => {
      const found = whole.rows.find(([library = ""]) => row.test(library));
      return found === undefined ? "—" : `${Number(middle(found[column])).toFixed(1)} steps/s`;
    });
  return titled({
    title: `Two CPU cores, float32, ${peers.date}:`,
    columns: ["", ...LIBRARIES.map(({ name }) => name)],
    rows: [
      [`one step, L0 ${fewest}`, ...step(fewest)],
      [`one step, L0 ${more}`, ...step(more)],
      ["one step, dense start of a run", ...step(dense)],
      ["text to steps on SmolLM2, sparse", ...rate(2)],
      ["text to steps on SmolLM2, dense start", ...rate(1)],
    ],
  });
};

const table = (results: Readonly<Record<string, Measured>>, name: string): Measured => {
  const found = results[name];
  if (found === undefined)
    throw new Error(`bench/results lacks ${name}.json: run \`npm run bench -- --write ${name}\`.`);
  return found;
};

/** Top-k keeps its own L0, near that of the others; only another dense row is near a dense row. */
const similar = (a: number, b: number): boolean =>
  a > DENSE || b > DENSE ? a > DENSE && b > DENSE : Math.abs(a - b) < 0.15 * b;

/** "74 (73–81)" → "74". */
const middle = (cell = ""): string => cell.split(" ")[0] ?? "";
