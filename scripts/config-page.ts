import { z } from "zod";
import { markdown } from "../bench/table.ts";
import { withDefaults } from "../src/config/defaults.ts";
import { RunInput } from "../src/config/schema.ts";

/** The part of JSON Schema that our schema uses. */
interface Node {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Node[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly examples?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

const HEAD = `# Config reference

Every key of a config, generated from the schema that checks it. On the command line, set a key by its path:
\`--train.lr 1e-3\`, \`--dictionaries.0.dictionary_size 4096\`, \`--train.resample_steps null\`. Scripts use the same names.
[Training](training.md) explains how a config is put together; [numerics](numerics.md) explains what \`compat\` changes and why.

For completion and checks in an editor, put this line at the top of a config:

\`\`\`yaml
# yaml-language-server: $schema=node_modules/dictlearn/configs/schema.json
\`\`\`
`;

const TRAIN_NOTE = "Each of these keys may also stand in an entry of `dictionaries`, where it wins.";
const DICTIONARY_NOTE = "A list, one entry for each SAE. Any key of `train` may stand here too.";

/** docs/config.md: each key with its type, default, default under `compat: ddac948`, and meaning. */
export const configPage = (): string => {
  const root = z.toJSONSchema(RunInput, { io: "input" }) as Node;
  const groups = Object.entries(root.properties ?? {});
  const isGroup = ([, node]: [string, Node]) => object(node) !== undefined || node.items !== undefined;
  const plain = groups.filter((entry) => !isGroup(entry) && entry[0] !== "$schema");
  const train = new Set(Object.keys(object(root.properties?.train)?.properties ?? {}));
  const sections = groups.filter(isGroup).map(([name, node]) => {
    const inList = node.items !== undefined;
    const keys = Object.entries((inList ? node.items : object(node))?.properties ?? {});
    const rows = inList ? keys.filter(([key]) => !train.has(key)) : keys;
    const note = inList ? DICTIONARY_NOTE : name === "train" ? TRAIN_NOTE : (node.description ?? "");
    return `## ${name}\n\n${note}\n\n${table(rows, name)}`;
  });
  return `${[HEAD.trimEnd(), `## The run\n\n${table(plain, undefined)}`, ...sections].join("\n\n")}\n`;
};

const EXAMPLE = { data: "text.jsonl", dictionaries: [{ dictionary_size: 1 }] } as const;

/** The defaults of a group's keys, without and with `compat: ddac948`. */
const defaults = (group: string | undefined) => {
  const of = (compat: "none" | "ddac948"): Readonly<Record<string, unknown>> => {
    const config = { ...withDefaults({ ...EXAMPLE, dictionaries: [...EXAMPLE.dictionaries], compat }), compat: "none" };
    // compat turns the whole evaluation off; its keys keep their defaults.
    const evaluation = withDefaults({ dictionaries: [...EXAMPLE.dictionaries] }).evaluation;
    const whole: Readonly<Record<string, unknown>> = { ...config, evaluation };
    const found = group === undefined ? whole : whole[group];
    return (Array.isArray(found) ? {} : found) as Readonly<Record<string, unknown>>;
  };
  return { usual: of("none"), compat: of("ddac948") };
};

const table = (keys: readonly (readonly [string, Node])[], group: string | undefined): string => {
  const { usual, compat } = defaults(group);
  const rows = keys.map(([key, node]) => {
    const own = group === "data" && key === "path" ? undefined : shown(usual[key]);
    const other = shown(compat[key]);
    const cell = own === undefined ? "" : other === undefined || other === own ? own : `${own}; compat: ${other}`;
    return [
      `\`${key}\``,
      typeOf(node),
      group === "dictionaries" && key === "io" ? '`"out"`' : cell,
      node.description ?? "",
    ];
  });
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  return markdown({ columns: ["key", "allowed", "default", "meaning"], rows: cells });
};

const shown = (value: unknown): string | undefined =>
  value === undefined ? undefined : `\`${JSON.stringify(value)}\``;

const object = (node: Node | undefined): Node | undefined =>
  node?.properties === undefined ? node?.anyOf?.map(object).find((branch) => branch !== undefined) : node;

const typeOf = (node: Node): string => {
  if (Array.isArray(node.type)) return node.type.map((type: string) => typeOf({ ...node, type })).join(" or ");
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(" or ");
  if (node.enum !== undefined) return node.enum.map((each) => `\`${String(each)}\``).join(", ");
  if (node.type === "integer" || node.type === "number") return numberOf(node);
  if (node.type === "boolean") return "`true`, `false`";
  if (node.type === "null") return "`null`";
  if (node.examples !== undefined) return `text such as ${node.examples.map((each) => `\`${each}\``).join(", ")}`;
  if (node.type === "string") return "text";
  throw new Error(`The config page has no words for ${JSON.stringify(node)}.`);
};

const numberOf = ({ type, minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Node): string => {
  const noun = type === "integer" ? "whole number" : "number";
  const bounds = [
    minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? undefined : `≥ ${minimum}`,
    exclusiveMinimum === undefined ? undefined : `> ${exclusiveMinimum}`,
    maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? undefined : `≤ ${maximum}`,
    exclusiveMaximum === undefined ? undefined : `< ${exclusiveMaximum}`,
  ].filter((bound) => bound !== undefined);
  return [noun, bounds.join(", ")].filter((part) => part !== "").join(" ");
};
