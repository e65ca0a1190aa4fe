import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `./dev web` says which server the pages are to speak to while they are being worked on.
const server = process.env["STEWARD_SERVER"] ?? "http://127.0.0.1:8420";

export default defineConfig({
  // Relative, because the server may stand behind any path: it writes <base href> into index.html.
  base: "./",
  plugins: [react(), tailwindcss()],
  build: {
    outDir: "../build-web/dist",
    emptyOutDir: true,
    target: "es2023",
    assetsInlineLimit: 0, // the pages' policy allows no data: scripts, and fewer rules are better
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      // The server believes changes only from pages of its own origin.
      "/api": { target: server, changeOrigin: true, headers: { origin: server } },
    },
  },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
});
