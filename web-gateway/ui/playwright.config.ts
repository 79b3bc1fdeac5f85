import { defineConfig } from "@playwright/test";

// Each worker has an installation of its own, with real processes: see e2e/installation.ts.
export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results/failed",
  workers: 2,
  // Beside all other tests on two cores everything takes its time; what must be quick is measured where it is tested.
  timeout: 120_000,
  expect: { timeout: 20_000 },
  // A test that passes now and then is a fault of the test or of what it tests.
  retries: 0,
  forbidOnly: Boolean(process.env.CI),
  reporter: [["list"], ["json", { outputFile: "test-results/report.json" }]],
  use: {
    browserName: "chromium",
    // The distribution's: Playwright downloads nothing.
    launchOptions: { executablePath: process.env.SPROUT_TEST_CHROMIUM ?? "/usr/bin/chromium", args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] },
    viewport: { width: 1280, height: 800 },
    locale: "en-GB",
    timezoneId: "UTC",
    screenshot: "only-on-failure",
    trace: "retain-on-failure",
  },
});
