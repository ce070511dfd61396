import { ConfigError } from "../errors.ts";
import { checkOptions, isPlain, kinds, optionsOf, shown } from "../options/index.ts";
import type { Documents, TextPart, TextSource } from "./text-stream.ts";

/** Which documents to take. */
export const partKind = optionsOf<TextPart>({ every: kinds.whole(2), take: kinds.oneOf("training", "evaluation") }, [
  "every",
  "take",
]);

const SOURCE = optionsOf<TextSource>(
  {
    path: kinds.name("the path of a file or a folder, or the id of a dataset, as a text"),
    split: kinds.name(),
    textField: kinds.name(),
    name: kinds.name().nullable(),
    revision: kinds.name().nullable(),
    skip: kinds.whole(0),
    shuffleBuffer: kinds.whole(0),
    txtDocuments: kinds.oneOf("line", "paragraph", "file"),
    seed: kinds.whole(0),
    part: partKind.nullable(),
  },
  ["path"],
);

const READING =
  'A file is read with { path: "corpus.txt" }, and documents of your own are a list such as ["first", "second"].';

/**
 * Throws a `ConfigError` for anything but documents or the name of some; a plain string would be read letter by letter.
 */
export const checkData = (caller: string, data: Documents | TextSource): void => {
  const given: unknown = data;
  if (isIterable(given)) {
    if (Array.isArray(given)) for (const [index, each] of given.entries()) checkDocument(each, index + 1);
    return;
  }
  if (isPlain(given)) {
    checkOptions(SOURCE, given, `${caller}'s data`);
    return;
  }
  const hint = given instanceof Promise ? "Wait for it with await." : READING;
  const what = given === undefined ? "missing" : shown(given);
  throw new ConfigError(`${caller}: data is ${what}, but must be documents or { path }.`, { hint });
};

/** Throws a `ConfigError` for an invalid document, with its number in the text, counted from 1. */
export const checkDocument = (document: unknown, number: number): void => {
  if (typeof document === "string") return;
  throw new ConfigError(`Document ${number} of the text is ${shown(document)}, but must be a text.`);
};

/** Whether it is a collection of documents: strings and bytes are iterable, but hold no documents. */
const isIterable = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  !ArrayBuffer.isView(value) &&
  !(value instanceof String) &&
  (Symbol.iterator in value || Symbol.asyncIterator in value);
