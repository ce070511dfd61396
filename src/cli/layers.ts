/**
 * The values of `--layers`, separated by commas or spaces. The option takes every word after it, so the name of a set
 * ends it: that and the words after it are `rest`, the positional arguments.
 */
export const splitLayers = (
  given: readonly string[] | undefined,
  sets: readonly { readonly name: string }[],
): { readonly layers: readonly string[] | undefined; readonly rest: readonly string[] } => {
  if (given === undefined) return { layers: undefined, rest: [] };
  const names = new Set(sets.map(({ name }) => name));
  const set = given.findIndex((word) => names.has(word));
  const end = set === -1 ? given.length : set;
  const layers = given.slice(0, end).flatMap((word) => word.split(",").filter((each) => each !== ""));
  return { layers, rest: given.slice(end) };
};
