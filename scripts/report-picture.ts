// npx tsx scripts/report-picture.ts REPORT.html [FEATURE]: docs/report.png from the top of a report.
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { openBrowser } from "../test/report/chromium.ts";

/** GitHub shows pictures up to 1,000 pixels wide; above this size the page opens slowly. */
const MOST_BYTES = 200_000;

const [report, feature] = process.argv.slice(2);
if (report === undefined)
  throw new Error("Name a report: npx tsx scripts/report-picture.ts runs/quickstart/report.html");
const picture = fileURLToPath(new URL("../docs/report.png", import.meta.url));

const browser = await openBrowser();
try {
  const page = await browser.newPage({ viewport: { width: 1240, height: 1180 }, deviceScaleFactor: 0.8 });
  await page.goto(`${pathToFileURL(resolve(report)).href}${feature === undefined ? "" : `#feature-${feature}`}`);
  await page.evaluate("scrollTo(0, 0)");
  await page.screenshot({ path: picture });
} finally {
  await browser.close();
}
const { size } = statSync(picture);
if (size > MOST_BYTES) throw new Error(`${picture} has ${size} bytes, more than ${MOST_BYTES}.`);
console.log(`wrote ${picture}, ${Math.round(size / 1000)} kB`);
