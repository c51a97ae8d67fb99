import { resolve } from "node:path";
import { defineConfig } from "vite";
import { compressed, demoWalk, preloadMap, shellList } from "./vite/plugins.ts";

export default defineConfig({
  plugins: [demoWalk("../data/traces/altona/altona_walk.json"), preloadMap(), shellList(), compressed()],
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // what is inlined as a data: address would need a laxer content security policy
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1200, // MapLibre is one chunk
    rollupOptions: {
      input: {
        index: resolve(import.meta.dirname, "index.html"),
        watch: resolve(import.meta.dirname, "watch.html"),
        sw: resolve(import.meta.dirname, "src/sw.ts"),
      },
      output: {
        entryFileNames: (chunk) => (chunk.name === "sw" ? "sw.js" : "assets/[name]-[hash].js"),
      },
    },
  },
});
