import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CallSite } from "../../src/nnsight/trace/call-site.ts";
import { type Recorded, schedule } from "../../src/nnsight/trace/schedule.ts";
import {
  axisOf,
  broadcastShape,
  pickedShape,
  productShape,
  reducedShape,
  requireFits,
  type Shape,
  ShapeMistake,
} from "../../src/nnsight/trace/shape.ts";

const END = 9;
const site = new CallSite();

/** Programs as a recorder creates them: reads at some event, sums of earlier values, writes and saves of them. */
const programs = fc
  .array(fc.record({ kind: fc.constantFrom("read", "sum", "write", "save"), event: fc.nat(END), pick: fc.nat(1000) }), {
    minLength: 1,
    maxLength: 30,
  })
  .map((steps) => {
    const recorded: Recorded[] = [];
    const times: number[] = [];
    for (const { kind, event, pick } of steps) {
      const first = pick % Math.max(1, times.length);
      const takes = kind === "read" || times.length === 0 ? [] : [first];
      const earliest = times[first] ?? 0;
      const place = { module: "m", side: "output" as const, at: [] as string[], invoke: 0 };
      const common = { name: kind, site, takes };
      if (kind === "save" && takes.length > 0) {
        recorded.push({ ...common, operation: { op: "save", input: first }, makes: [], time: earliest });
      } else if (kind === "write" && takes.length > 0) {
        const time = Math.max(earliest, event);
        recorded.push({ ...common, operation: { op: "write", ...place, value: first }, makes: [], time });
      } else if (kind === "sum" && takes.length > 0) {
        const id = times.push(earliest) - 1;
        const operation = { op: "reduce", id, function: "sum", input: first, dims: null, keep: false } as const;
        recorded.push({ ...common, operation, makes: [id], time: earliest });
      } else {
        const id = times.push(event) - 1;
        recorded.push({ ...common, takes: [], operation: { op: "read", id, ...place }, makes: [id], time: event });
      }
    }
    return recorded;
  });

describe("the schedule of a trace", () => {
  it("goes forward, has every value before it is used, and keeps the script's order at one event", () => {
    fc.assert(
      fc.property(programs, (recorded) => {
        const { program } = schedule(recorded, END);
        const there = new Set<number>();
        for (const [index, each] of program.entries()) {
          expect(each.takes.every((value) => there.has(value))).toBe(true);
          for (const value of each.makes) there.add(value);
          const before = program[index - 1];
          if (before === undefined) continue;
          expect(before.time).toBeLessThanOrEqual(each.time);
          if (before.time === each.time) expect(recorded.indexOf(before)).toBeLessThan(recorded.indexOf(each));
        }
      }),
    );
  });

  it("has every write and save, what they need, and nothing else", () => {
    fc.assert(
      fc.property(programs, (recorded) => {
        const { program } = schedule(recorded, END);
        const used = new Set(program.flatMap(({ takes }) => [...takes]));
        for (const each of recorded) {
          const acts = each.operation.op === "save" || each.operation.op === "write";
          expect(program.includes(each)).toBe(acts || each.makes.some((value) => used.has(value)));
        }
      }),
    );
  });

  it("stops where nothing is left, and not where the model's own output is needed", () => {
    fc.assert(
      fc.property(programs, (recorded) => {
        const { program, stop } = schedule(recorded, END);
        expect(stop).toBe(program.length > 0 && program.every(({ time }) => time < END));
      }),
    );
  });
});

describe("what is known of shapes", () => {
  const x: Shape = ["batch", "position", 8];

  it("follows what torch makes of them", () => {
    expect(pickedShape(x, 1, -1)).toEqual(["batch", 8]);
    expect(pickedShape(x, -1, [0, 7, -8])).toEqual(["batch", "position", 3]);
    expect(pickedShape(x, 1, { from: 2 })).toEqual(["batch", null, 8]);
    expect(broadcastShape(x, [8])).toEqual(x);
    expect(broadcastShape([4, 1], [3, 1, 5])).toEqual([3, 4, 5]);
    expect(broadcastShape(x, ["batch", 1, 8])).toEqual(x);
    expect(broadcastShape(x, null)).toBeNull();
    expect(reducedShape(x, [-1], false)).toEqual(["batch", "position"]);
    expect(reducedShape(x, null, true)).toEqual([1, 1, 1]);
    expect(reducedShape(null, null, false)).toEqual([]);
    expect(productShape(x, [8, 3])).toEqual(["batch", "position", 3]);
    expect([axisOf(x, "batch"), axisOf(x, "position"), axisOf(x, "feature"), axisOf(x, -3)]).toEqual([0, 1, -1, -3]);
    expect(() => requireFits([1, 8], x)).not.toThrow();
    expect(() => requireFits([null, 8], [3, 8])).not.toThrow();
  });

  it.each([
    ["an index outside", () => pickedShape(x, 2, 8)],
    ["one of several outside", () => pickedShape(x, -1, [0, -9])],
    ["two sizes", () => broadcastShape([4, 8], [4, 7])],
    ["two inner sizes", () => productShape(x, [7, 3])],
    ["a dimension that is not there", () => axisOf(x, 3)],
    ["positions that are gone", () => axisOf(["batch", 8], "position")],
    ["features of what has none", () => axisOf(["batch", "position"], "feature")],
    ["too many dimensions", () => requireFits([2, 2, 2, 8], x)],
    ["another width", () => requireFits([7], x)],
  ])("is enough to refuse %s", (_, mistake) => {
    expect(mistake).toThrow(ShapeMistake);
  });
});
