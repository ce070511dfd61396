/** One step of the setup. `done` and `total` count packages; `total` is 0 where there is nothing to count. */
export interface SetupProgress {
  readonly stage: "Waiting" | "Creating" | "Resolving" | "Downloading" | "Installing" | "Checking" | "Ready" | "Failed";
  readonly detail: string;
  readonly done: number;
  readonly total: number;
}

/** Follows the output of `pip install -r`, line by line. */
export class PipOutput {
  readonly #total: number;
  readonly #fetched = new Set<string>();
  readonly #errors: string[] = [];
  #unreachable = false;
  #last = "";

  /** `total`: the number of pinned packages. */
  constructor(total: number) {
    this.#total = total;
  }

  /** The progress in a line; undefined for other lines. */
  read(line: string): SetupProgress | undefined {
    const text = line.trim();
    if (text === "") return undefined;
    this.#last = text;
    if (/^(ERROR|error):/.test(text)) this.#errors.push(text.replace(/^(ERROR|error):\s*/, ""));
    if (UNREACHABLE.test(text)) this.#unreachable = true;
    const collected = /^Collecting ([^\s<>=!~;@]+)/.exec(text)?.[1];
    if (collected !== undefined) return this.#report("Resolving", collected);
    const fetched = /^(?:Downloading|Using cached|Processing) (\S+)(.*)$/.exec(text);
    if (fetched?.[1] !== undefined) return this.#file(fetched[1], fetched[2] ?? "");
    const present = /^Requirement already satisfied: ([^\s<>=!~;@]+)/.exec(text)?.[1];
    if (present !== undefined) return this.#count(present, present);
    if (text.startsWith("Installing collected packages")) {
      return { stage: "Installing", detail: `${this.#total} packages`, done: 0, total: this.#total };
    }
    return undefined;
  }

  /** Why pip failed, as the rest of a sentence, and the remedy. */
  failure(): { reason: string; hint: string } {
    const all = this.#errors.join(" ");
    if (/No space left on device|Errno 28|Disk quota exceeded/.test(`${all} ${this.#last}`)) {
      return {
        reason: "the disk is full",
        hint: "Free some space (about 3 GB), or move the cache with DICTLEARN_CACHE; then run `dictlearn setup` again.",
      };
    }
    const reason = this.#errors.findLast((text) => !/^Exception|^\[notice\]/.test(text)) ?? this.#last;
    if (this.#unreachable) {
      return {
        reason: "the package index could not be reached",
        hint: "Check the network and pip's settings (proxy, index), then run `dictlearn setup` again; or use a Python of your own with --python.",
      };
    }
    return {
      reason: `pip says: ${reason.replace(/[.\s]+$/, "") || "nothing"}`,
      hint: "Run `dictlearn setup` again, or use a Python of your own with --python.",
    };
  }

  #file(file: string, rest: string): SetupProgress | undefined {
    const name = file.split("/").at(-1) ?? file;
    // Only a package's metadata was fetched; the package follows.
    if (name.endsWith(".metadata")) return undefined;
    const [distribution = name, version = ""] = name.split("-");
    const size = /\([^)]*[kMG]?B\)/.exec(rest)?.[0] ?? "";
    return this.#count(distribution, [distribution, version, size].filter((part) => part !== "").join(" "));
  }

  #count(name: string, detail: string): SetupProgress {
    this.#fetched.add(name.toLowerCase().replaceAll(/[-_.]+/g, "-"));
    return this.#report("Downloading", detail);
  }

  #report(stage: "Resolving" | "Downloading", detail: string): SetupProgress {
    return { stage, detail, done: Math.min(this.#fetched.size, this.#total), total: this.#total };
  }
}

const UNREACHABLE =
  /Failed to establish a new connection|NewConnectionError|Name or service not known|name resolution|Network is unreachable|ConnectTimeoutError|ReadTimeoutError|ProxyError|SSLError/;
