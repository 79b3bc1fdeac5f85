// One clock for all that counts down: it ticks once a second.
class Clock {
  now = $state(Date.now());
}
export const clock = new Clock();
setInterval(() => {
  if (document.visibilityState === "visible") clock.now = Date.now();
}, 1000);
