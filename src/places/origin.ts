import { ConfigError, DictlearnError } from "../errors.ts";
import type { SiteSpec } from "../nnsight/site.ts";
import { ModelParts } from "./block.ts";
import { type ModuleSide, type Named, named } from "./module-sides.ts";

/** Where a dictionary was trained, in the source's own terms; unknown parts are missing. */
export interface DictionaryOrigin {
  readonly model?: string | undefined;
  /** A module's path, or another library's name of a place. */
  readonly submodule?: string | undefined;
  /** The place that it reconstructs, if it has a separate name. */
  readonly submodule_out?: string | undefined;
  readonly io?: SiteSpec["io"] | undefined;
  readonly layer?: number | undefined;
  /** The source: a file, or an option. */
  readonly stated_in?: string | undefined;
}

/** The model that places are resolved against. */
export interface ModelModules {
  /** For messages. */
  readonly path: string;
  readonly modules: readonly string[];
  /** Whether a module is an RMSNorm; called only where that matters. */
  readonly isRms?: ((submodule: string) => Promise<boolean>) | undefined;
}

/**
 * The module of a model, and the part of it, that an origin means. Throws a `ConfigError` with code `unknown_place` for
 * an unknown name, or a tensor that is no module's input or output.
 */
export const siteOf = async (origin: DictionaryOrigin, model: ModelModules): Promise<SiteSpec> => {
  const { submodule = "", submodule_out, io, layer } = origin;
  const read = named(submodule, model.modules, layer);
  if (read === null) throw unknownPlace(origin, model, submodule);
  if (submodule === "hook_embed" && /gemma/i.test(model.path)) {
    throw unknownPlace(origin, model, submodule, "is scaled there, which no module's output is");
  }
  if ("module" in read)
    return { submodule: read.module, io: io ?? (submodule_out === undefined ? "out" : "in_to_out") };
  if (read.unlessRms && (await model.isRms?.(read.sides[0]?.submodule ?? ""))) {
    throw unknownPlace(
      origin,
      model,
      submodule,
      "is there before the norm's weights, which no module takes or returns",
    );
  }
  if (io === "in_to_out" || submodule_out !== undefined) return stretched(origin, model, read.sides);
  const side = read.sides.find((each) => io === undefined || each.side === io);
  if (side === undefined) throw unknownPlace(origin, model, submodule, `is not what io: ${io} says`);
  return { submodule: side.submodule, io: side.side };
};

/** From one tensor to another: the module whose input is the first and whose output is the second. */
const stretched = (origin: DictionaryOrigin, model: ModelModules, read: readonly ModuleSide[]): SiteSpec => {
  const { submodule = "", submodule_out } = origin;
  const written = submodule_out === undefined ? null : named(submodule_out, model.modules, origin.layer);
  if (submodule_out !== undefined && written === null) throw unknownPlace(origin, model, submodule_out);
  const found = read.find(
    (each) =>
      each.side === "in" &&
      (written === null || sidesOf(written, "out").some((to) => to.submodule === each.submodule && to.side === "out")),
  );
  if (found !== undefined) return { submodule: found.submodule, io: "in_to_out" };
  const pair = submodule_out === undefined ? submodule : `${submodule} → ${submodule_out}`;
  throw unknownPlace(origin, model, pair, "is not the way from the input to the output of one module");
};

const sidesOf = (name: Named, side: "in" | "out"): readonly ModuleSide[] =>
  "module" in name ? [{ submodule: name.module, side }] : name.sides;

const unknownPlace = (
  { stated_in }: DictionaryOrigin,
  { path }: ModelModules,
  name: string,
  why = "is neither a module of it nor a name that stands for one",
): ConfigError =>
  new ConfigError(
    `${stated_in === undefined ? "The dictionary" : stated_in} says that the place is ${name} of ${path}, but that ${why}.`,
    { code: "unknown_place", hint: "Name the module with --submodule and --io (submodule and io in a script)." },
  );

/** How to use a dictionary at a place where it was not trained. */
const TRANSFER = "--transfer, or transfer: true in a script";

/**
 * Throws a `DictlearnError` with code `other_place` if a dictionary is used at a place that is certainly not the one it
 * was trained on; an incomplete origin, or one unknown in this model, fits everywhere. With `io: in` or `out`, only the
 * input is compared, otherwise the output too.
 */
export const requireOwnPlace = (
  origin: DictionaryOrigin | null | undefined,
  site: SiteSpec,
  modules: readonly string[],
): void => {
  const why = otherPlace(origin, site, modules);
  if (why === null) return;
  throw new DictlearnError(why, {
    code: "other_place",
    hint: `Take that place, or say that it is meant to be used elsewhere: ${TRANSFER}.`,
  });
};

/**
 * Why a site is not the place of an origin, in one sentence; null where it is, or may be. `reads`: compare only the
 * input.
 */
export const otherPlace = (
  origin: DictionaryOrigin | null | undefined,
  site: SiteSpec,
  modules: readonly string[],
  { reads = false } = {},
): string | null => {
  if (origin?.submodule === undefined) return null;
  const name = named(origin.submodule, modules, origin.layer);
  if (name === null) return null;
  const here: ModuleSide = { submodule: site.submodule, side: site.io === "out" ? "out" : "in" };
  const stretches = origin.io === "in_to_out" || origin.submodule_out !== undefined;
  if ("module" in name && origin.io === undefined && !stretches) {
    const fits = name.module === here.submodule || sameSide(here, { submodule: name.module, side: "out" }, modules);
    return fits ? null : `The dictionary was trained on ${name.module}, not on ${siteText(site)}.`;
  }
  const own: readonly ModuleSide[] =
    "module" in name ? [{ submodule: name.module, side: origin.io === "out" ? "out" : "in" }] : name.sides;
  const fits = own.some((each) => sameSide(each, here, modules));
  if (fits && (reads || stretches === (site.io === "in_to_out"))) return null;
  const [first] = own;
  const text = stretches ? `the way from input to output of ${first?.submodule}` : described(first);
  return `The dictionary was trained on ${text}, not on ${siteText(site, reads ? here : undefined)}.`;
};

const siteText = (site: SiteSpec, read?: ModuleSide): string => {
  if (read !== undefined) return described(read);
  return site.io === "in_to_out"
    ? `the way from input to output of ${site.submodule}`
    : described({ submodule: site.submodule, side: site.io });
};

const described = (side: ModuleSide | undefined): string =>
  `the ${side?.side === "in" ? "input" : "output"} of ${side?.submodule}`;

/** Whether two sides hold the same tensor: a block's input is the previous block's output. */
const sameSide = (one: ModuleSide, other: ModuleSide, modules: readonly string[]): boolean => {
  if (one.submodule === other.submodule && one.side === other.side) return true;
  if (one.side === other.side) return false;
  const [taken, returned] = one.side === "in" ? [one, other] : [other, one];
  return new ModelParts(modules).besides(taken.submodule).before === returned.submodule;
};
