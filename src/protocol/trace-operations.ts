import { z } from "zod";
import { float, Handle, int, TensorFrame } from "./types.ts";

/** Numbers of the values that operations create and take; a program numbers them from 0. */
const value = int;
const named = <Name extends string>(name: Name) => ({ op: z.literal(name) });

/**
 * A part of a module's input or output, for one invoke's prompts. The model itself is the module with the empty path.
 */
const place = {
  module: z.string(),
  /** `input`: the first argument. */
  side: z.enum(["input", "output"]),
  /** Indices and keys of the tensor in a tuple or a dict. */
  at: z.array(z.string()),
  invoke: int(),
};

const TraceSlice = z.object({ start: z.nullable(int()), stop: z.nullable(int()) }).meta({ id: "TraceSlice" });
const index = z.union([int(), z.array(int()), TraceSlice]);

/** One operation of a recorded trace. Reads and writes come in the order of the forward pass. */
export const TraceOperation = z.discriminatedUnion("op", [
  z.object({ ...named("read"), id: value(), ...place }).meta({ id: "TraceRead" }),
  z.object({ ...named("write"), ...place, value: value() }).meta({ id: "TraceWrite" }),
  /** A number, which does not change the dtype of the other operand. */
  z.object({ ...named("number"), id: value(), value: z.union([int(), float]) }).meta({ id: "TraceNumber" }),
  z.object({ ...named("constant"), id: value(), tensor: TensorFrame }).meta({ id: "TraceConstant" }),
  /** A tensor that an earlier trace saved. */
  z.object({ ...named("held"), id: value(), tensor: Handle }).meta({ id: "TraceHeld" }),
  z
    .object({
      ...named("apply"),
      id: value(),
      function: z.enum([
        ...(["add", "sub", "mul", "div", "pow", "matmul", "gt", "lt", "ge", "le", "eq"] as const),
        ...(["neg", "abs", "exp", "log", "sqrt", "relu", "sigmoid", "tanh", "where"] as const),
      ]),
      inputs: z.array(value()),
    })
    .meta({ id: "TraceApply" }),
  /** dims null: all. keep: keep the dimensions, with size 1. */
  z
    .object({
      ...named("reduce"),
      id: value(),
      function: z.enum(["sum", "mean", "norm", "max", "min", "variance", "logsumexp", "any", "all"]),
      input: value(),
      dims: z.nullable(z.array(int())),
      keep: z.boolean(),
    })
    .meta({ id: "TraceReduce" }),
  z
    .object({
      ...named("along"),
      id: value(),
      function: z.enum(["softmax", "log_softmax", "argmax", "argmin", "cumsum"]),
      input: value(),
      dim: int(),
    })
    .meta({ id: "TraceAlong" }),
  /** Creates two values: the largest (or smallest) entries, and their indices. */
  z
    .object({
      ...named("topk"),
      id: value(),
      indices: value(),
      input: value(),
      k: int(),
      dim: int(),
      largest: z.boolean(),
    })
    .meta({ id: "TraceTopk" }),
  z
    .object({ ...named("join"), id: value(), function: z.enum(["cat", "stack"]), inputs: z.array(value()), dim: int() })
    .meta({ id: "TraceJoin" }),
  /** input[:, index] for dim 1. */
  z.object({ ...named("pick"), id: value(), input: value(), dim: int(), index }).meta({ id: "TracePick" }),
  /** A copy of the input with copy[:, index] = value. */
  z
    .object({ ...named("put"), id: value(), input: value(), dim: int(), index, value: value() })
    .meta({ id: "TracePut" }),
  z.object({ ...named("reshape"), id: value(), input: value(), shape: z.array(int()) }).meta({ id: "TraceReshape" }),
  z.object({ ...named("permute"), id: value(), input: value(), dims: z.array(int()) }).meta({ id: "TracePermute" }),
  z
    .object({
      ...named("cast"),
      id: value(),
      input: value(),
      dtype: z.enum(["float32", "float64", "bfloat16", "float16", "int64", "bool"]),
    })
    .meta({ id: "TraceCast" }),
  /** The same numbers, detached from the graph that computed them; with `gradient`, as a leaf to differentiate by. */
  z.object({ ...named("variable"), id: value(), input: value(), gradient: z.boolean() }).meta({ id: "TraceVariable" }),
  z.object({ ...named("encode"), id: value(), dictionary: Handle, input: value() }).meta({ id: "TraceEncode" }),
  z.object({ ...named("decode"), id: value(), dictionary: Handle, input: value() }).meta({ id: "TraceDecode" }),
  /** d(of)/d(by[i]) becomes value ids[i]; `of` is one number. */
  z
    .object({ ...named("gradient"), ids: z.array(value()), of: value(), by: z.array(value()) })
    .meta({ id: "TraceGradient" }),
  z.object({ ...named("save"), input: value() }).meta({ id: "TraceSave" }),
]);
export type TraceOperation = z.output<typeof TraceOperation>;
