// npm test: vitest, then pytest, and one closing line with the sum of both.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bin, developmentPython, root, run } from "./tools.js";

const python = developmentPython();
const folder = mkdtempSync(join(tmpdir(), "dictlearn-test-"));
let passed = 0;
let failed = 0;

try {
  const report = join(folder, "vitest.json");
  const vitest = run(bin("vitest"), ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`], {
    env: { DICTLEARN_PYTHON: python },
  });
  const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(report, "utf8"));
  passed += numPassedTests;
  failed += numFailedTests;
  // A file that could not even be loaded has no test that could fail.
  if (!vitest.ok && numFailedTests === 0) failed += Math.max(1, numFailedTestSuites);

  const junit = join(folder, "pytest.xml");
  const pytest = run(python, ["-m", "pytest", "-q", `--junitxml=${junit}`], { cwd: join(root, "py_worker") });
  const [, errors, failures, , tests] = /errors="(\d+)" failures="(\d+)" (skipped="\d+") tests="(\d+)"/.exec(
    readFileSync(junit, "utf8"),
  );
  passed += Number(tests) - Number(errors) - Number(failures);
  failed += Number(errors) + Number(failures);
  if (!pytest.ok && Number(errors) + Number(failures) === 0) failed += 1;
} finally {
  rmSync(folder, { recursive: true });
}

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
