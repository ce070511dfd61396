import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/warm-python/setup.ts",
    testTimeout: 180_000,
    hookTimeout: 120_000,
    // Two workers' worth of torch is what a two-core machine holds.
    maxWorkers: 2,
    reporters: ["default"],
  },
});
