import { ensureEnvironment } from "../../environment/index.ts";
import { ConfigError } from "../../errors.ts";
import { checkArguments, checkOptions, kinds, optionsOf, shown } from "../../options/index.ts";
import type { HandleRef } from "../../protocol/index.ts";
import { Handle, Worker } from "../../worker/index.ts";
import { SavedTensor } from "../saved-tensor.ts";
import { type HasRef, hasRef, nameOf, toPython } from "./arguments.ts";
import { type Connection, loadPythonia, type PythoniaBridge } from "./pythonia.ts";
import { Transport } from "./transport.ts";

export interface BridgeOptions {
  /** A worker to join; without one, a worker is started, and closed with the bridge. */
  readonly worker?: Worker;
  /** The interpreter for a worker that is started here; without one, the managed environment's. */
  readonly python?: string;
  /**
   * Receives Python's output while the bridge is active, warnings included; by default it goes to this process's
   * output.
   */
  readonly onOutput?: (text: string, stream: "stdout" | "stderr") => void;
}

const OPTIONS = optionsOf<BridgeOptions>({
  worker: kinds.worker(),
  python: kinds.name(),
  onOutput: kinds.callback(),
});

const print = (text: string, stream: "stdout" | "stderr"): void => void process[stream].write(text);

/**
 * A live Python object, as pythonia exposes it: `await proxy.attribute`, `await proxy.method(1, 2)`, `await
 * proxy.method$(1, { keyword: 2 })`, `await proxy[0]`. Numbers, text, booleans and None arrive as plain values;
 * `bridge.value` converts lists and dicts; `bridge.text` returns the repr. To TypeScript it is as untyped as the result
 * of JSON.parse.
 */
export type PythonProxy = ReturnType<typeof JSON.parse>;

/** The JavaScript form of Python's numbers, text, None, lists, tuples and string-keyed dicts. */
export type PythonValue = null | boolean | number | string | PythonValue[] | { [key: string]: PythonValue };

const ROOT = 0;

/**
 * A bridge to a worker: its live Python objects in Node, and Python code that runs in it, alongside its other work, on
 * the same thread and with the same objects.
 *
 * The proxies are pythonia's (https://github.com/extremeheat/JSPyBridge). Its messages use a socket of the worker
 * instead of a process that pythonia starts, so that the worker's death is detected at once.
 */
export class Bridge implements AsyncDisposable {
  readonly worker: Worker;
  readonly #pythonia: PythoniaBridge;
  readonly #transport: Transport;
  readonly #ownsWorker: boolean;
  /** Values interpolated into snippets. */
  #values = 0;

  private constructor(worker: Worker, parts: { pythonia: PythoniaBridge; transport: Transport; ownsWorker: boolean }) {
    this.worker = worker;
    this.#pythonia = parts.pythonia;
    this.#transport = parts.transport;
    this.#ownsWorker = parts.ownsWorker;
  }

  /** See `openBridge`. */
  static async open(options: BridgeOptions = {}): Promise<Bridge> {
    checkOptions(OPTIONS, options, "openBridge");
    const { onOutput = print } = options;
    const worker = options.worker ?? (await Worker.start(await ensureEnvironment({ python: options.python })));
    try {
      const { Bridge: Pythonia, folder } = loadPythonia();
      const { channel, endpoint } = await worker.openChannel("bridge");
      const transport = new Transport((text) => void channel.send([Buffer.from(text)]).catch(() => undefined));
      // In a separate task: an exception from the script's function belongs to the script.
      transport.register("output", ({ text = "", name = "stdout" }) => queueMicrotask(() => onOutput(text, name)));
      channel.listen((frames) => transport.receive(String(frames[0]))).catch((error: Error) => transport.close(error));
      void worker.ended.then((error) => transport.close(error));
      const pythonia = guarded(Pythonia, transport);
      await worker.call("bridge.open", { endpoint, pythonia: folder });
      return new Bridge(worker, { pythonia, transport, ownsWorker: options.worker === undefined });
    } catch (error) {
      if (options.worker === undefined) await worker.close();
      throw error;
    }
  }

  /** A Python module: `const torch = await bridge.python("torch")`. */
  async python(module: string): Promise<PythonProxy> {
    checkArguments("bridge.python", { module: [module, kinds.name("the name of a module, as a text")] });
    return await this.#pythonia.call(ROOT, ["python"], [module], undefined, false);
  }

  /**
   * Runs Python code, statements or an expression, and returns the value of its last expression: `` await
   * bridge.py`max(${[1, 2]})` ``. A result without a JavaScript equivalent becomes a handle, which the caller releases.
   * `${values}` may be numbers, text, arrays, objects, functions, handles, models, dictionaries, proxies.
   *
   * The snippets of a bridge share a namespace: later snippets see the imports, variables and functions of earlier
   * ones. Each bridge has its own, even on the same worker. Closing the bridge clears it.
   *
   * @throws {RemoteError} `python_error` with Python's traceback as its cause, `non_finite_result`, `no_value`.
   */
  async py(text: TemplateStringsArray, ...values: unknown[]): Promise<PythonValue | Handle> {
    if (!Array.isArray(text)) {
      throw new ConfigError(`bridge.py takes a template and not ${shown(text)}.`, {
        hint: "Write bridge.py`1 + 1`, without parentheses.",
      });
    }
    const first = this.#values;
    this.#values += values.length;
    const source = text.reduce((before, part, index) => `${before}__${first + index - 1}${part}`);
    const answer = await this.#pythonia.call(ROOT, ["snippet"], [source, values, first], undefined, false);
    return this.#fromPython(answer as string);
  }

  /**
   * The live object of a handle: nnsight's LanguageModel for a model, a torch tensor for a value.
   *
   * @throws {ConfigError} where a snippet returned a plain value, which has no Python object.
   */
  proxy(handle: HasRef | PythonValue): PythonProxy {
    if (!hasRef(handle)) {
      throw new ConfigError(`${JSON.stringify(handle)} is a value already: only a handle has an object behind it.`);
    }
    return this.#pythonia.makePyObject(nameOf(handle.ref));
  }

  /** The reverse: a handle of a proxy's object; a tensor's handle is an operand in traces. The caller releases it. */
  async handle(proxy: PythonProxy): Promise<Handle> {
    const answer = await this.#pythonia.call(ROOT, ["keep"], [proxy], undefined, false);
    return this.#fromPython(answer as string) as Handle;
  }

  /**
   * The tensor that a handle or a proxy stands for, in the form that a trace saves: with its shape, its numbers on
   * demand, and usable as an operand in traces, as its handle is. It has its own handle, which the caller releases.
   *
   * @throws {RemoteError} `wrong_kind` for anything but a tensor.
   */
  async tensor(of: unknown): Promise<SavedTensor> {
    await using made = hasRef(of) ? undefined : await this.handle(of as PythonProxy);
    const tensor = hasRef(of) ? of.ref : (made as Handle).ref;
    const program = [{ op: "held", id: 0, tensor } as const, { op: "save", input: 0 } as const];
    const params = { model: null, invokes: [], program, stop: false, gradients: false };
    const { saved } = await this.worker.call("trace.run", params);
    return new SavedTensor(this.worker, saved[0] as (typeof saved)[number]);
  }

  /** A proxy's value as JavaScript numbers, text, arrays and objects; returns plain values unchanged. */
  async value(proxy: PythonProxy): Promise<PythonValue> {
    if (typeof proxy !== "function") return proxy as PythonValue;
    const answer = await this.#pythonia.call(ROOT, ["value"], [proxy], undefined, false);
    return JSON.parse(answer as string) as PythonValue;
  }

  /** Python's repr() of a proxy's object. */
  async text(proxy: PythonProxy): Promise<string> {
    return (await this.#pythonia.call(ROOT, ["repr"], [proxy], undefined, false)) as string;
  }

  /** Closes the bridge, and the worker if it was started for it. Proxies cannot be used any more. */
  async close(): Promise<void> {
    if (!this.#ownsWorker && this.worker.alive) {
      await this.#pythonia.call(ROOT, ["forget"], [], undefined, false).catch(() => undefined);
    }
    this.#pythonia.end();
    if (this.#ownsWorker) await this.worker.close();
    this.#transport.close(new Error("The bridge is closed."));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #fromPython(text: string): PythonValue | Handle {
    const answer = JSON.parse(text) as { value: PythonValue } | { handle: HandleRef; type: string };
    return "value" in answer ? answer.value : new Handle(this.worker, answer.handle, answer.type);
  }
}

/**
 * Opens a bridge to a new worker, or to one that is already running. Loads pythonia only now.
 *
 * @throws {WorkerStartError} when the worker does not start.
 */
export const openBridge = async (options: BridgeOptions = {}): Promise<Bridge> => await Bridge.open(options);

/**
 * pythonia's bridge, whose requests fail with dictlearn's errors, at once when Python is gone, and whose arguments are
 * valid in Python.
 */
const guarded = (Pythonia: new (connection: Connection) => PythoniaBridge, transport: Transport): PythoniaBridge => {
  class Guarded extends Pythonia {
    override async get(...args: Parameters<PythoniaBridge["get"]>): Promise<unknown> {
      return await transport.request(async () => await super.get(...args));
    }
    override async call(...[id, path, args, named, ...rest]: Parameters<PythoniaBridge["call"]>): Promise<unknown> {
      const sent = args.map(toPython);
      const keywords = toPython(named) as typeof named;
      return await transport.request(async () => await super.call(id, path, sent, keywords, ...rest));
    }
    override async value(...args: Parameters<PythoniaBridge["value"]>): Promise<unknown> {
      return await transport.request(async () => await super.value(...args));
    }
    override async inspect(...args: Parameters<PythoniaBridge["inspect"]>): Promise<unknown> {
      return await transport.request(async () => await super.inspect(...args));
    }
    override async len(...args: Parameters<PythoniaBridge["len"]>): Promise<unknown> {
      return await transport.request(async () => await super.len(...args));
    }
  }
  const bridge = new Guarded(transport);
  // It only tells Python which objects were collected, which need not keep Node running.
  bridge.loop.unref();
  return bridge;
};
