import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createReport, type ReportData, type ReportedFeature } from "../../src/index.ts";
import { isThere } from "../../src/report/index.ts";
import { dictlearn, GOLDEN, temporaryFolder, tinyRun, writeConfig } from "../cli/support.ts";
import { python } from "../support.ts";
import { openBrowser } from "./chromium.ts";

/** Characters that could break a page, in the text itself and in its file's name. */
const HOSTILE = "</script><img src=x onerror=alert(1)>\n<!-- & \u202e naïve 🎉";
const FILE = "<img src=x onerror=alert(1)>.jsonl";
const AMOUNTS = { features: 60, addFeatures: [7], contexts: 6, tokens: 4096, lossContexts: 16 };

let browser: Browser;
let output: string;
let run: string;
let text: string;
let data: ReportData;

beforeAll(async () => {
  const folder = temporaryFolder();
  const documents = readFileSync(join(GOLDEN, "texts.jsonl"), "utf8").trim().split("\n");
  const texts = documents.map((line, index) => {
    const own = (JSON.parse(line) as { text: string }).text;
    return index % 3 === 0 ? `${own} ${HOSTILE}` : own;
  });
  text = texts.join("");
  mkdirSync(join(folder, "data"));
  const file = join(folder, "data", FILE);
  writeFileSync(file, texts.map((each) => JSON.stringify({ text: each })).join("\n"));
  const config = writeConfig({
    ...tinyRun,
    data: file,
    evaluation: {},
    dictionaries: [
      { name: "mlp", submodule: "gpt_neox.layers.1.mlp", dictionary_size: 256 },
      { name: "up", submodule: "gpt_neox.layers.0.mlp.dense_h_to_4h", dictionary_size: 64, sparsity_penalty: 1e-2 },
    ],
  });
  run = config.output;
  const trained = await dictlearn(["train", config.file]);
  expect(trained.exitCode, trained.stderr).toBe(0);
  output = join(folder, "report.html");
  const amounts = [
    "--features",
    "60",
    "--add-features",
    "7",
    "--contexts",
    "6",
    "--tokens",
    "4096",
    "--loss-contexts",
    "16",
  ];
  const made = await dictlearn(["report", run, "--output", output, "--json", ...amounts]);
  expect(made.exitCode, made.stderr).toBe(0);
  data = JSON.parse(made.stdout) as ReportData;
  browser = await openBrowser();
});
afterAll(async () => await browser?.close());

/** Opens the page in a new window; records its network requests and errors. */
const open = async (options: BrowserContextOptions = {}, hash = "") => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  const requests: string[] = [];
  const errors: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => errors.push(message.text()));
  page.on("dialog", (dialog) => errors.push(dialog.message()));
  await page.goto(`${pathToFileURL(output).href}${hash}`);
  return Object.assign(page, { requests, errors, [Symbol.asyncDispose]: async () => await page.close() });
};

const features = (index = 0): readonly ReportedFeature[] => {
  const browserOf = data.dictionaries[index]?.features;
  return browserOf !== undefined && isThere(browserOf) ? browserOf.features : [];
};

/** The number of the shown feature. */
const shown = async (page: Page): Promise<number> => Number(await page.locator("#number").textContent());
const options = (page: Page) => page.locator("#list [role=option]");
const listed = async (page: Page): Promise<number[]> =>
  (await options(page).locator("b").allTextContents()).map(Number);

describe("the page", () => {
  it("loads nothing, is small, and shows a feature within a second", async () => {
    const times: number[] = [];
    // The best of three: other tests run on this machine.
    for (let each = 0; each < 3; each++) {
      await using page = await open();
      await page.locator("#number").waitFor();
      const paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime";
      // The browser records it shortly after painting.
      await page.waitForFunction(paint);
      times.push(await page.evaluate<number>(paint));
      expect(page.requests.filter((url) => !url.startsWith("data:"))).toEqual([pathToFileURL(output).href]);
      expect(page.errors).toEqual([]);
    }
    expect(Math.min(...times)).toBeLessThan(1000);
    expect(readFileSync(output).length).toBeLessThan(2e6);
  });

  it("may not load anything either", async () => {
    await using page = await open();
    const refused = await page.evaluate<string>(
      "fetch('http://127.0.0.1:9/').then(() => 'loaded', (error) => error.name + ' ' + error.message)",
    );
    expect(refused).toContain("TypeError");
    expect(page.errors.join()).toContain("Content Security Policy");
  });

  it("sets the dictionaries' statistics, frequencies and curves side by side", async () => {
    await using page = await open();
    const rows = page.locator("#overview tbody tr");
    expect(await rows.count()).toBe(2);
    expect(await rows.nth(1).textContent()).toContain("up");
    const { statistics } = JSON.parse(readFileSync(join(run, "up", "evaluation.json"), "utf8"));
    const l0 = page.locator("#statistics tr", { has: page.locator("th", { hasText: /^L0$/ }) }).locator("td");
    expect(await l0.nth(1).textContent()).toContain(String(Number(statistics.l0.value.toPrecision(4))));
    expect(await page.locator("#statistics svg[aria-label='L0 against loss recovered']").count()).toBe(1);
    expect(await page.locator("#statistics svg[aria-label='Histogram of feature frequencies']").count()).toBe(2);
    expect(await page.locator("#training svg").count()).toBe(6);
    expect(await page.locator("#config pre").textContent()).toContain("dictionary_size: 256");
    const { tokens, contexts } = JSON.parse(readFileSync(join(run, "up", "evaluation.json"), "utf8"));
    const measured = `Measured on ${tokens} tokens in ${contexts} contexts of ${FILE}, documents that training left out.`;
    for (const part of ["#overview", "#statistics"]) {
      expect(await page.locator(`${part} .about`).textContent()).toContain(measured);
    }
  });

  it("is the same, byte for byte, from code", async () => {
    const made = await createReport([run], { ...AMOUNTS, python: await python() });
    expect(made.html).toBe(readFileSync(output, "utf8"));
  });
});

describe("the feature browser", () => {
  it("has at least 50 features with contexts that are in the text", async () => {
    await using page = await open();
    const numbers = await listed(page);
    expect(numbers.length).toBeGreaterThanOrEqual(50);
    expect(new Set(numbers)).toEqual(new Set(features().map(({ feature }) => feature)));
    for (const feature of features().slice(0, 5)) {
      await page.locator(`#list [data-feature="${feature.feature}"]`).click();
      expect(await shown(page)).toBe(feature.feature);
      expect(await page.locator("#detail .context").count()).toBe(feature.contexts.length);
      expect(await page.locator("#detail .neighbours li").count()).toBe(6);
      expect(await page.locator("#detail .promotes li").count()).toBe(8);
    }
    const [first] = features();
    // Consecutive whole tokens of a context, without the end of a document.
    const words = first?.contexts[0]?.tokens.join("").match(/[a-z ]{12,}/)?.[0];
    expect(text).toContain(words ?? "no words");
  });

  it("shades each token by the activation", async () => {
    await using page = await open();
    const number = await shown(page);
    const context = features().find(({ feature }) => feature === number)?.contexts[0];
    const more = page.locator("#detail .context").first().locator("button");
    if ((await more.count()) > 0) await more.click();
    const shares = await page
      .locator("#detail .context")
      .first()
      .locator(".token")
      .evaluateAll((tokens) =>
        tokens.map((token) => Number((token as unknown as Styled).style.getPropertyValue("--share"))),
      );
    const highest = Math.max(...(context?.activations ?? []));
    expect(shares).toHaveLength(context?.tokens.length ?? 0);
    for (const [index, activation] of (context?.activations ?? []).entries()) {
      expect(shares[index]).toBeCloseTo(activation / highest, 1);
    }
  });

  it("finds features by number and by token", async () => {
    await using page = await open();
    const wanted = features().at(-1)?.feature ?? -1;
    await page.locator("#search").fill(String(wanted));
    expect(await shown(page)).toBe(wanted);
    // The tokens of tiny-neox are single letters.
    const token = "q";
    await page.locator("#search").fill(token.toUpperCase());
    const found = await listed(page);
    expect(found.length).toBeGreaterThan(0);
    expect(found.length).toBeLessThan(features().length);
    expect(await shown(page)).toBe(found[0]);
    const fires = ({ contexts, highest }: ReportedFeature) =>
      contexts.some(({ tokens, activations }) =>
        tokens.some((each, at) => each.includes(token) && (activations[at] ?? 0) > 0.2 * highest),
      );
    const promotes = ({ promoted }: ReportedFeature) => promoted.some((each) => each.text.includes(token));
    for (const feature of features()) {
      if (found.includes(feature.feature)) expect(fires(feature) || promotes(feature)).toBe(true);
    }
    await page.locator("#search").fill("9999");
    expect(await page.locator("#detail").textContent()).toBe("There is no feature 9999: the last one is 255.");
    expect(await page.locator("#count").textContent()).toBe("There is no feature 9999: the last one is 255.");
  });

  it("says of a feature that is not on the page how it gets there, and shows those that were asked for", async () => {
    await using page = await open();
    const there = new Set(features().map(({ feature }) => feature));
    const absent = Array.from({ length: 256 }, (_, number) => number).filter((number) => !there.has(number));
    const alone = absent.find((number) => ![...there].some((each) => String(each).startsWith(String(number))));
    await page.locator("#search").fill(`#${alone}`);
    const answer = `Feature ${alone} is not among the ${there.size} of 256 on this page; dictlearn report … --add-features ${alone} adds it.`;
    expect(await page.locator("#count").textContent()).toBe(answer);
    expect(await page.locator("#detail").textContent()).toBe(answer);
    await page.keyboard.press("Escape");
    expect(await options(page).count()).toBe(there.size);
    await page.getByRole("button", { name: "By number" }).click();
    expect(await listed(page)).toEqual([7]);
    expect(await page.locator("#detail .tags").textContent()).toContain("by number");
    expect(features(1).find(({ feature }) => feature === 7)?.groups).toContain("named");
  });

  it("links neighbours that are on the page, says so of others, and Back and Forward stay on it", async () => {
    await using page = await open();
    const there = new Set(features().map(({ feature }) => feature));
    const all = features().flatMap(({ neighbours }) => neighbours.map(({ feature }) => feature));
    const linked = all.filter((feature) => there.has(feature)).length / all.length;
    // Of 256 features 61 are shown; by chance it would be a quarter.
    expect(linked).toBeGreaterThan(0.34);
    const start = await shown(page);
    const mixed = features().find(({ feature, neighbours }) => {
      if (feature === start) return false;
      const known = neighbours.filter(({ feature }) => there.has(feature)).length;
      return known > 0 && known < neighbours.length;
    });
    await page.locator(`#list [data-feature="${mixed?.feature}"]`).click();
    for (const [index, { feature }] of (mixed?.neighbours ?? []).entries()) {
      const item = page.locator("#detail .neighbours li").nth(index);
      expect(await item.locator("a").count()).toBe(there.has(feature) ? 1 : 0);
      expect(await item.textContent()).toContain(String(feature));
    }
    const absent = mixed?.neighbours.map(({ feature }) => feature).filter((feature) => !there.has(feature)) ?? [];
    expect(await page.locator("#detail .neighbours p").textContent()).toBe(
      `Numbers without a link are not in this report; --add-features ${absent.join(",")} adds them.`,
    );
    const link = page.locator("#detail .neighbours a").first();
    const near = Number(await link.textContent());
    await link.click();
    expect(await shown(page)).toBe(near);
    expect(page.url()).toMatch(new RegExp(`#feature-0-${near}$`));
    // Steps from feature to feature share one history entry: one Back leaves them.
    const next = page.getByRole("button", { name: "Next feature" });
    const previous = page.getByRole("button", { name: "Previous feature" });
    const way = (await next.isEnabled()) ? [next, previous, next] : [previous, next, previous];
    for (const step of way) await step.click();
    const stepped = await shown(page);
    expect(stepped).not.toBe(near);
    await page.locator("nav a", { hasText: "Statistics" }).click();
    expect(await shown(page)).toBe(stepped);
    const visited: number[] = [];
    for (let each = 0; each < 4; each++) {
      await page.goBack();
      visited.push(await shown(page));
    }
    expect(visited).toEqual([stepped, near, mixed?.feature, start]);
    expect(page.url()).toBe(pathToFileURL(output).href);
    await page.goForward();
    await page.goForward();
    expect(await shown(page)).toBe(near);
    await page.locator("#dictionary").selectOption("1");
    await page.goBack();
    expect(await page.locator("#dictionary").inputValue()).toBe("0");
    expect(await shown(page)).toBe(near);
    await using elsewhere = await open({}, `#feature-0-${absent[0]}`);
    expect(await elsewhere.locator("#detail").textContent()).toContain(`Feature ${absent[0]} is not among the`);
    expect([...page.errors, ...elsewhere.errors]).toEqual([]);
  });

  it("shows the features of one group, in another order, of another dictionary", async () => {
    await using page = await open();
    await page.getByRole("button", { name: "Frequent" }).click();
    const frequent = features().filter(({ groups }) => groups.includes("frequent"));
    expect(new Set(await listed(page))).toEqual(new Set(frequent.map(({ feature }) => feature)));
    await page.locator("#sort").selectOption("feature");
    const numbers = await listed(page);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    await page.locator("#dictionary").selectOption("1");
    await page.getByRole("button", { name: "All" }).click();
    expect(await options(page).count()).toBe(features(1).length);
    expect(await page.locator("#detail .effects").textContent()).toContain("no direct path to the logits is shown");
    await using linked = await open({}, `#feature-1-${numbers[0]}`.replace(/\d+$/, String(features(1)[3]?.feature)));
    expect(await shown(linked)).toBe(features(1)[3]?.feature);
  });

  it("can be used with the keyboard alone", async () => {
    await using page = await open();
    await page.keyboard.press("Tab");
    expect(await page.locator(":focus").textContent()).toBe("Skip to the features");
    await page.keyboard.press("/");
    expect(await page.locator("#search:focus").count()).toBe(1);
    const numbers = await listed(page);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowUp");
    expect(await shown(page)).toBe(numbers[1]);
    expect(await options(page).nth(1).getAttribute("aria-selected")).toBe("true");
    await page.keyboard.press("Enter");
    expect(await page.locator("#detail:focus").count()).toBe(1);
    await page.keyboard.press("ArrowRight");
    expect(await shown(page)).toBe(numbers[2]);
    await page.keyboard.press("/");
    await page.keyboard.type("no such token");
    expect(await options(page).count()).toBe(0);
    await page.keyboard.press("Escape");
    expect(await options(page).count()).toBe(numbers.length);
    await page.locator("#list").focus();
    await page.keyboard.press("End");
    expect(await shown(page)).toBe(numbers.at(-1));
    const active = await page.locator("#list").getAttribute("aria-activedescendant");
    expect(active).toBe(`option-${numbers.at(-1)}`);
    const next = page.getByRole("button", { name: "Previous feature" });
    await next.focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    expect(await shown(page)).toBe(numbers.at(-3));
  });

  it("shows hostile text as text", async () => {
    await using page = await open();
    expect(await page.locator("img").count()).toBe(0);
    expect(await page.locator("#features .about").textContent()).toContain(FILE);
    const seen: string[] = [];
    for (const number of await listed(page)) {
      await page.locator(`#list [data-feature="${number}"]`).click();
      const more = page.locator("#detail .context button[aria-expanded=false]");
      while ((await more.count()) > 0) await more.first().click();
      seen.push(...(await page.locator("#detail .text").allTextContents()));
    }
    const all = seen.join("\n\n");
    // Contexts of 32 tokens can cut the text anywhere.
    expect(all).toContain("</script><img src=x onerr");
    expect(all).toContain("↵");
    expect(all).not.toContain("\u202e");
    // A character of several tokens is shown at its last one, after its other bytes in digits.
    expect(all).toContain("🎉");
    expect(all).not.toContain("\ufffd");
    expect(await page.locator(".bytes").count()).toBeGreaterThan(0);
    expect(await page.locator("img").count()).toBe(0);
    expect(page.errors).toEqual([]);
  });
});

interface Styled {
  readonly style: { getPropertyValue(name: string): string };
}

describe("on other screens", () => {
  it("fits a phone, and nothing but tables and code scrolls sideways", async () => {
    const width = 360;
    await using page = await open({ viewport: { width, height: 740 }, isMobile: true, hasTouch: true });
    // A phone zooms out of a page that is too wide, so innerWidth would not show it.
    expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(width);
    const wide = await page.evaluate<string[]>(
      `[...document.querySelectorAll("main *")]
        .filter((each) => each.getBoundingClientRect().right > ${width} + 1 && !each.closest(".scroll, pre, svg, .hidden, .peaks"))
        .map((each) => each.outerHTML.slice(0, 80))`,
    );
    expect(wide).toEqual([]);
    const context = page.locator("#detail .context").first();
    const last = context.locator(".token").last();
    await last.tap();
    expect(await context.locator(".foot b").textContent()).toBe((await last.getAttribute("title")) ?? "0");
    await options(page).nth(2).tap();
    expect(await shown(page)).toBe((await listed(page))[2]);
  });

  it("is dark where the reader's system is", async () => {
    const brightness = async (colorScheme: "light" | "dark") => {
      await using page = await open({ colorScheme });
      const colours = await page.evaluate<[string, string]>(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]",
      );
      return colours.map((colour) => Number(/\d+/.exec(colour)?.[0]));
    };
    const [paper = 0, ink = 255] = await brightness("light");
    const [night = 255, chalk = 0] = await brightness("dark");
    expect(paper - ink).toBeGreaterThan(180);
    expect(chalk - night).toBeGreaterThan(180);
  });
});
