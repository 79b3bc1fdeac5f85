import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { choices, forecast, type Wanted } from "$/features/pool/availability";
import { ApplianceSchema, ApplianceState } from "$/gen/sprout/appliance/v1/appliance_pb";
import { CircuitState, ProviderSchema } from "$/gen/sprout/provider/v1/provider_pb";
import { TemplateSchema, TemplateState, TemplateType } from "$/gen/sprout/template/v1/template_pb";

const wanted: Wanted = { group: "g", version: "", date: "", provider: "", providerType: "", templateType: TemplateType.UNSPECIFIED, unconfigured: false, count: 1, overridden: false };
const template = (provider: string, version: string, date = "", state = TemplateState.READY) => create(TemplateSchema, { group: "g", provider, version, date, state });
const provider = (key: string, more = {}) => create(ProviderSchema, { key, working: true, circuit: CircuitState.CLOSED, provisioningLimit: 2, applianceLimit: 3, ...more });
const warm = (at: string, version: string, date = "") => create(ApplianceSchema, { group: "g", provider: at, version, date, state: ApplianceState.READY });
// As the server lists them: the newest first.
const templates = [template("a", "2.0", "2026-02-02"), template("a", "2.0", "2026-01-01"), template("b", "2.0", "2026-01-01"), template("a", "1.0")];
const both = [provider("a"), provider("b")];

test("choices narrow: the newest unless said otherwise", () => {
  const newest = choices(wanted, templates, both, []);
  expect(newest).toMatchObject({ versions: ["2.0", "1.0"], version: "2.0", date: "2026-02-02", dates: ["2026-02-02", "2026-01-01"], providers: ["a", "b"] });
  expect(newest.places.map((place) => place.provider.key)).toEqual(["a"]);
  const older = choices({ ...wanted, date: "2026-01-01" }, templates, both, []);
  expect(older.places.map((place) => place.provider.key)).toEqual(["a", "b"]);
  const there = choices({ ...wanted, provider: "b" }, templates, both, []);
  expect(there).toMatchObject({ versions: ["2.0"], date: "2026-01-01" });
});

test("what is warm is served at once, the rest deployed, or it waits", () => {
  const one = (count: number, appliances = [warm("a", "2.0", "2026-02-02")], places = both) => forecast(count, choices({ ...wanted, count }, templates, places, appliances)).text;
  expect(one(1)).toBe("One is warm: you have it at once.");
  expect(one(3)).toBe("1 is warm and yours at once, 2 are deployed right away.");
  expect(one(4)).toBe("1 is warm and yours at once, 2 are deployed right away, 1 waits for room.");
  expect(one(1, [warm("a", "2.0", "2026-01-01")])).toBe("1 is deployed right away.");
  expect(one(1, [], [provider("a", { applianceCount: 3 }), provider("b")])).toBe("1 waits for room.");
  expect(one(1, [], [provider("a", { circuit: CircuitState.OPEN })])).toBe("It waits: no provider that has the template is in use now.");
});

test("what nobody has is refused, and overridden hardware is never warm", () => {
  expect(forecast(1, choices({ ...wanted, unconfigured: true }, templates, both, [])).kind).toBe("never");
  expect(forecast(1, choices({ ...wanted, overridden: true }, templates, both, [warm("a", "2.0", "2026-02-02")])).kind).toBe("deploy");
  const quarantined = [template("a", "2.0", "", TemplateState.QUARANTINED)];
  expect(choices(wanted, quarantined, both, []).places[0]?.not).toBe("the template is quarantined");
});
