// What modules of the page expect of a browser, as far as they are tested without one.
const listeners = { addEventListener: () => undefined };
Object.assign(globalThis, {
  location: { pathname: "/", search: "", origin: "http://sprout.test", href: "http://sprout.test/" },
  document: { ...listeners, documentElement: { dataset: {} }, visibilityState: "visible" },
  ...listeners,
});
