import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Places } from "../../src/environment/places.ts";

/** Writes a wheel of one empty module, so that pip can install it without a network. */
const WHEEL = `
import sys, zipfile
folder, name = sys.argv[1:]
with zipfile.ZipFile(f"{folder}/{name}-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr(f"{name}.py", "")
    info = f"{name}-1.0.dist-info"
    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(f"{info}/RECORD", f"{name}.py,,\\n{info}/METADATA,,\\n{info}/WHEEL,,\\n{info}/RECORD,,\\n")
`;

/** A separate cache and a requirements file of one tiny package, in a folder that is removed at the end. */
export class Workshop implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "dictlearn-environment-"));
  readonly places: Places;

  /** `package`: the required package; only `tiny` exists. `python`: any that runs. */
  constructor(python: string, { name = "tiny", module = "tiny" } = {}) {
    const wheels = join(this.folder, "wheels");
    mkdirSync(wheels);
    execFileSync(python, ["-c", WHEEL, wheels, "tiny"]);
    const requirements = join(this.folder, "requirements.txt");
    writeFileSync(requirements, `# A comment.\n--no-index\n--find-links ${wheels}\n${name}==1.0\n`);
    this.places = {
      cache: join(this.folder, "cache"),
      requirements,
      modules: [{ module, package: `${module}-package` }],
    };
  }

  /** A folder whose `python3` answers the probe like this version. */
  fakePython(version: string): string {
    const bin = join(this.folder, `python-${version}`);
    mkdirSync(bin);
    const answer = JSON.stringify({ version: version.split(".").map(Number), missing: [] });
    writeFileSync(join(bin, "python3"), `#!/bin/sh\necho '${answer}'\n`, { mode: 0o755 });
    return bin;
  }

  /** A base Python that creates environments fast: they borrow pip from `python` where `venv` would install it. */
  quickBase(python: string): string {
    const script = join(this.folder, "quick-python");
    const pip = execFileSync(python, ["-c", "import os, pip; print(os.path.dirname(os.path.dirname(pip.__file__)))"]);
    const lines = [
      "#!/bin/sh",
      `[ "$1 $2" = "-m venv" ] || exec '${python}' "$@"`,
      `'${python}' -m venv --without-pip "$3" && echo '${String(pip).trim()}' > "$(echo "$3"/lib/python*/site-packages)/pip.pth"`,
    ];
    writeFileSync(script, `${lines.join("\n")}\n`, { mode: 0o755 });
    return script;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
