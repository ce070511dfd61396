import { ConfigError } from "../../errors.ts";
import type { HandleRef } from "../../protocol/index.ts";

/** Anything that stands for an object of the worker: a handle, a model, a dictionary. */
export interface HasRef {
  readonly ref: HandleRef;
}

/** The name under which the worker's half finds the object of a handle. */
export const nameOf = ({ id, generation }: HandleRef): string => `handle:${id}:${generation}`;

/**
 * A value as pythonia sends it: handles by their names, typed arrays as lists, everything else unchanged. JSON cannot
 * hold a non-finite number, which would arrive as None, so it is a `ConfigError`.
 */
export const toPython = (value: unknown): unknown => {
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new ConfigError(`${value} cannot be passed to Python through the bridge.`, {
      hint: 'Write float("nan") or float("inf") in the Python text instead.',
    });
  }
  if (typeof value === "bigint") return toPython(wholeNumber(value));
  if (value === undefined) return null;
  if (typeof value !== "object" || value === null) return value;
  if (hasRef(value)) return { ffid: nameOf(value.ref) };
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return Array.from(value as unknown as ArrayLike<number | bigint>, toPython);
  }
  if (Array.isArray(value)) return value.map(toPython);
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, toPython(part)]));
};

/** Whether a value stands for an object of the worker; a proxy, which answers to every name, does not. */
export const hasRef = (value: unknown): value is HasRef => {
  if (typeof value !== "object" || value === null) return false;
  const { ref } = value as Partial<HasRef>;
  return typeof ref === "object" && typeof ref.id === "number" && typeof ref.generation === "number";
};

const wholeNumber = (value: bigint): number => {
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < -BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new ConfigError(`${value} is beyond 2^53 and cannot be passed to Python through the bridge.`, {
      hint: "Pass it as text, and use int() in Python.",
    });
  }
  return Number(value);
};
