import { createHash } from "node:crypto";
import { z } from "zod";
import type { Method } from "./method.ts";
import { controlMethods, dataGroups } from "./methods.ts";
import { TraceOperation } from "./trace-operations.ts";
import { Progress } from "./types.ts";

/** Version of the envelope; it changes with the frames' layout. The methods have their own hash. */
export const ENVELOPE_VERSION = 1;

export interface JsonSchema {
  readonly $ref?: string;
  readonly $defs?: Record<string, JsonSchema>;
  readonly id?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly (string | number | null)[];
  readonly const?: string;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly properties?: Record<string, JsonSchema>;
  readonly additionalProperties?: JsonSchema | boolean;
}

export interface MethodSchema {
  readonly name: string;
  readonly params: JsonSchema;
  readonly result: JsonSchema;
}

const toJsonSchema = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, {
    unrepresentable: "any",
    // NaN is a number here, but not for the JSON Schema converter.
    override: ({ jsonSchema }) => {
      if (jsonSchema.id === "Float") jsonSchema.type = "number";
    },
  }) as JsonSchema;

/** Methods as JSON Schema. */
export const described = (methods: Record<string, Method>): MethodSchema[] =>
  Object.entries(methods).map(([name, method]) => ({
    name,
    params: toJsonSchema(method.params),
    result: toJsonSchema(method.result),
  }));

export const traceOperationSchema = (): JsonSchema => toJsonSchema(TraceOperation);
export const progressSchema = (): JsonSchema => toJsonSchema(Progress);

/** The whole protocol as JSON Schema. */
const protocolSchema = () => ({
  version: ENVELOPE_VERSION,
  data: Object.values(dataGroups).flatMap(described),
  control: described(controlMethods),
  progress: progressSchema(),
});

/** Both processes send this hash in their hello; it differs if any method does. */
export const schemaHash = (): string =>
  createHash("sha256").update(JSON.stringify(protocolSchema())).digest("hex").slice(0, 16);
