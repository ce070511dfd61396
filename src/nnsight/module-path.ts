import { distance } from "fastest-levenshtein";
import { ConfigError } from "../errors.ts";

const NEAREST = 5;
/** Paths with less than this share of characters in common are not suggested. */
const LIKENESS = 0.4;

/** `layers[1].mlp` as `layers.1.mlp`, the form in which PyTorch names modules. */
const dotted = (path: string): string => path.replaceAll(/\[(\d+)\]/g, ".$1");

/**
 * The dotted form of a path that is in `paths`; any other one is `unknown_submodule`, with the nearest ones as a hint.
 */
export const knownPath = (path: string, paths: readonly string[]): string => {
  const wanted = dotted(path);
  if (paths.includes(wanted)) return wanted;
  const near = nearest(wanted, paths);
  throw new ConfigError(`The model has no submodule '${path}'.`, {
    code: "unknown_submodule",
    hint:
      near.length > 0
        ? `Paths like it: ${near.join(", ")}.`
        : `Its parts are ${paths
            .filter((each) => each.split(".").length < 3)
            .slice(0, 10)
            .join(", ")}.`,
  });
};

/** The suffix to the path of a module that runs several times in a pass: the number of the call, from #1 on. */
const CALL = /#[1-9]\d*$/;

/** A path of a site without the number of a call. */
export const withoutCall = (path: string): string => path.replace(CALL, "");

/** Like `knownPath`, for the place of a dictionary, which may name one of the module's calls: `layers.1#2`. */
export const knownPlace = (path: string, paths: readonly string[]): string =>
  `${knownPath(withoutCall(path), paths)}${CALL.exec(path)?.[0] ?? ""}`;

const nearest = (path: string, paths: readonly string[]): string[] =>
  paths
    .map((each) => ({ each, likeness: 1 - distance(path, each) / Math.max(path.length, each.length) }))
    .filter(({ likeness }) => likeness >= LIKENESS)
    .sort((a, b) => b.likeness - a.likeness)
    .slice(0, NEAREST)
    .map(({ each }) => each);
