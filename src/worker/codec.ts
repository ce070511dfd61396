import { Packr } from "msgpackr";
import { ENVELOPE_VERSION } from "../protocol/index.ts";
import type { RemoteFailure } from "./errors.ts";

/** The forms of a decoded reply envelope. */
export type Incoming =
  | { readonly id: number; readonly ok: unknown }
  | { readonly id: number; readonly error: RemoteFailure }
  | { readonly id: number; readonly event: unknown };

export interface Outgoing {
  readonly id: number;
  readonly method: string;
  readonly params: unknown;
  readonly window?: number | undefined;
}

// Plain msgpack for Python: no records, no extension types, undefined omitted.
const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  int64AsType: "auto",
  skipValues: [undefined],
  moreTypes: false,
  // msgpackr's declarations lack "auto" and type the values to skip as strings.
} as unknown as ConstructorParameters<typeof Packr>[0]);

/** msgpackr writes integers above 2³² as floats; as BigInt they stay integers. */
const widen = (value: unknown): unknown => {
  if (typeof value === "number") {
    return Number.isSafeInteger(value) && Math.abs(value) > 0x7fffffff ? BigInt(value) : value;
  }
  if (Array.isArray(value)) return value.map(widen);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, widen(item)]));
  }
  return value;
};

/** One envelope as a msgpack frame. */
export const encode = ({ id, method, params, window }: Outgoing): Uint8Array =>
  packr.pack({ v: ENVELOPE_VERSION, id, method, params: widen(params), window });

/** Decodes a reply's first frame; throws on anything but a reply of our version. */
export const decode = (frame: Uint8Array): Incoming => {
  const envelope: unknown = packr.unpack(frame);
  if (envelope === null || typeof envelope !== "object" || !("id" in envelope) || !("v" in envelope)) {
    throw new Error("The worker sent a frame that is not a reply.");
  }
  if (!Number.isSafeInteger(envelope.id)) throw new Error("The worker's reply has no number.");
  if (envelope.v !== ENVELOPE_VERSION) throw new Error(`The worker sent envelope version ${String(envelope.v)}.`);
  if (!("ok" in envelope || "event" in envelope || ("error" in envelope && isFailure(envelope.error)))) {
    throw new Error("The worker's reply is neither a result, nor an error, nor an event.");
  }
  return envelope as Incoming & { v: number };
};

const isFailure = (error: unknown): error is RemoteFailure => {
  if (error === null || typeof error !== "object") return false;
  const texts = ["code", "type", "message"].map((key) => (error as Record<string, unknown>)[key]);
  return texts.every((text) => typeof text === "string") && "data" in error;
};
