import { ConfigError, DictlearnError } from "../errors.ts";
import { isFolder } from "../make-folder.ts";
import {
  PUBLISHED_SETS,
  readRegistry,
  type StatedSet,
  type Verification,
  type VerifyOptions,
  verifyPublished,
} from "../published/index.ts";
import { setNamed } from "../published/registry.ts";
import { shellQuoted } from "../shell-quoted.ts";
import { splitLayers } from "./layers.ts";
import { placesOf, verificationTable } from "./verification-table.ts";
import { withWorker } from "./with-worker.ts";

interface Options {
  readonly set?: string | undefined;
  readonly dir?: string | undefined;
  readonly layers?: readonly string[] | undefined;
  readonly registry?: string | undefined;
  readonly choices: NonNullable<VerifyOptions["choices"]>;
  readonly device: string;
  readonly json: boolean;
  readonly python?: string | undefined;
}

/**
 * Measures, compares and prints; returns the exit code. Throws `disagrees` when a number does, or else `incomplete`
 * when something is missing.
 */
export const runVerify = async (options: Options): Promise<number> => {
  const { choices, device, json } = options;
  const sets = options.registry === undefined ? PUBLISHED_SETS : readRegistry(options.registry);
  const { layers, rest } = splitLayers(options.layers, sets);
  const [setGiven, dirGiven] = [options.set, options.dir, ...rest].filter((word) => word !== undefined);
  const { set, dir } = whatAndWhere({ set: setGiven, dir: dirGiven }, sets);
  const verification = await withWorker(
    { python: options.python, stopping: "Stopping." },
    async ({ worker, signal, progress: { onProgress } }) =>
      await verifyPublished(dir, { set, sets, layers, choices, device, worker, signal, onProgress }),
  );
  if (verification === undefined) return 130;
  process.stdout.write(`${json ? JSON.stringify(verification) : verificationTable(verification)}\n`);
  if (verification.agrees) return 0;
  throw verification.dictionaries.every(({ agrees }) => agrees)
    ? incomplete(verification, dir)
    : disagrees(verification);
};

/** A single argument is a set if it names one, otherwise the folder. */
const whatAndWhere = (
  { set, dir }: Pick<Options, "set" | "dir">,
  sets: readonly StatedSet[],
): { readonly set: string | undefined; readonly dir: string } => {
  const alone = set !== undefined && dir === undefined && !sets.some(({ name }) => name === set) && isFolder(set);
  if (set !== undefined && !alone) setNamed(set, sets);
  const found = alone ? { set: undefined, dir: set } : { set, dir: dir ?? "dictionaries" };
  if (!isFolder(found.dir)) {
    throw new ConfigError(`There is no folder ${found.dir}.`, {
      hint: "`dictlearn download` makes one; name another, or that of a run: dictlearn verify SET DIR.",
    });
  }
  return found;
};

/** All dictionaries found agree, but some of those requested are missing. */
const incomplete = ({ dictionaries, missing }: Verification, directory: string): DictlearnError => {
  const all = dictionaries.length + missing.length;
  const restricted = [...new Set(dictionaries.map(({ set }) => set))].map((set) => {
    const there = dictionaries.filter((each) => each.set === set).map(({ layer, site }) => layer ?? site);
    return `dictlearn verify ${set} ${shellQuoted(directory)} --layers ${[...new Set(there)].join(" ")}`;
  });
  return new DictlearnError(
    `What is there agrees, but ${missing.length} of ${all} dictionaries are not there and so not compared: ${missing.join(", ")}.`,
    { code: "incomplete", hint: `To verify only what is there: ${restricted.join(" and ")}.` },
  );
};

const disagrees = (verification: Verification): DictlearnError => {
  const numbers = verification.dictionaries.flatMap((each) => each.numbers);
  const wrong = numbers.filter(({ agrees }) => !agrees).length;
  return new DictlearnError(
    `${wrong} of ${numbers.length} published numbers do not agree with what was measured: ${placesOf(verification)}.`,
    {
      code: "disagrees",
      hint: "Differences of a few intervals in single columns can come from the text; a whole layer that differs is another dictionary.",
    },
  );
};
