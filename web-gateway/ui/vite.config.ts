import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [svelte()],
  resolve: { alias: { $: fileURLToPath(new URL("src", import.meta.url)) } },
  build: {
    target: "es2022",
    manifest: true,
    // Inlined files would be data: URLs, which the content security policy refuses.
    assetsInlineLimit: 0,
    // The polyfill would be for browsers that the target excludes.
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 400,
  },
  // `npm run dev` beside a gateway.
  server: {
    proxy: {
      "/session": process.env.SPROUT_GATEWAY ?? "http://127.0.0.1:7680",
      "^/sprout\\..*": process.env.SPROUT_GATEWAY ?? "http://127.0.0.1:7680",
    },
  },
});
