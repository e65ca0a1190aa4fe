import { defineConfig } from "vitest/config";

// A real server and a real browser: one after another, in the order of the file.
export default defineConfig({ test: { include: ["browser/**/*.test.ts"], environment: "node", testTimeout: 90_000, hookTimeout: 180_000, fileParallelism: false, sequence: { concurrent: false } } });
