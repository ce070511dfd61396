// npm test: vitest, then pytest, then the golden and reference tests of both in other processors' arithmetic; one
// closing line with the totals.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bin, developmentPython, root, run } from "./tools.js";

/** The kernels that torch, oneDNN and MKL choose: for processors without 256-bit vectors, and with none longer. */
const OTHER_PROCESSORS = [
  { ATEN_CPU_CAPABILITY: "default", ONEDNN_MAX_CPU_ISA: "SSE41", MKL_ENABLE_INSTRUCTIONS: "SSE4_2" },
  { ATEN_CPU_CAPABILITY: "avx2", ONEDNN_MAX_CPU_ISA: "AVX2", MKL_ENABLE_INSTRUCTIONS: "AVX2" },
];
/** In the names of files whose tests compare numbers: with golden data, or with a plain loop on this machine. */
const NUMERIC = ["golden", "reference"];

const python = developmentPython();
const folder = mkdtempSync(join(tmpdir(), "dictlearn-test-"));
let passed = 0;
let failed = 0;

const count = (good, bad) => {
  passed += good;
  failed += bad;
};

/** Runs the files whose path contains one of `names`; all without any. */
const vitest = (names, env) => {
  const report = join(folder, "vitest.json");
  const args = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...names];
  rmSync(report, { force: true });
  const { ok } = run(bin("vitest"), args, { env: { ...env, DICTLEARN_PYTHON: python } });
  const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(report, "utf8"));
  // A file that fails to load has no failed test.
  count(numPassedTests, !ok && numFailedTests === 0 ? Math.max(1, numFailedTestSuites) : numFailedTests);
};

/** Runs these files of py_worker/tests; all without any. */
const pytest = (files, env) => {
  const junit = join(folder, "pytest.xml");
  const args = ["-m", "pytest", "-q", `--junitxml=${junit}`, ...files.map((name) => join("tests", name))];
  rmSync(junit, { force: true });
  const { ok } = run(python, args, { cwd: join(root, "py_worker"), env });
  const found = /errors="(\d+)" failures="(\d+)" skipped="\d+" tests="(\d+)"/.exec(readFileSync(junit, "utf8"));
  const [errors, failures, tests] = found.slice(1).map(Number);
  const bad = errors + failures;
  count(tests - bad, !ok && bad === 0 ? 1 : bad);
};

try {
  vitest([], {});
  pytest([], {});
  // The settings apply to Intel's and AMD's processors.
  for (const env of process.arch === "x64" ? OTHER_PROCESSORS : []) {
    console.log(
      Object.entries(env)
        .map((each) => each.join("="))
        .join(" "),
    );
    vitest(NUMERIC, env);
    const files = readdirSync(join(root, "py_worker", "tests"));
    pytest(
      files.filter((name) => /^test_.*\.py$/.test(name) && NUMERIC.some((each) => name.includes(each))),
      env,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
