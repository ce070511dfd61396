/** A key's value and where it comes from, in words: `train.steps is 40 (command line)`. */
export type Whence = (path: string, value: unknown) => string;

/** For a config of which only the values are known, as in a script. */
export const valueOnly: Whence = (path, value) => `${path} is ${String(value)}`;

/** `input`: the config as read from `source`, before the command line's overrides. */
export const whenceOf =
  (
    input: unknown,
    { source, overrides }: { readonly source: string; readonly overrides: Readonly<Record<string, string>> },
  ): Whence =>
  (path, value) => {
    const typed = Object.keys(overrides).some((key) => path === key || path.startsWith(`${key}.`));
    const place = typed ? "command line" : holds(input, path.split(".")) ? source : "default";
    return `${valueOnly(path, value)} (${place})`;
  };

const holds = (node: unknown, [part, ...rest]: readonly string[]): boolean => {
  if (part === undefined) return node !== undefined;
  return node !== null && typeof node === "object" && holds((node as Record<string, unknown>)[part], rest);
};
