import { expect, test } from "vitest";
import { commands, uncommanded, grpcurl, pythonCall, type Reference, requestOf } from "$/features/reference/examples";
import reference from "$/gen/reference.json";

const { services, types } = reference as Reference;
const all = services.flatMap((service) => service.rpcs.map((rpc) => ({ service, rpc, name: `${service.name}/${rpc.name}` })));

test("each call has a command of sproutctl, or it is said why not", () => {
  const known = { ...commands, ...uncommanded };
  expect(all.map(({ name }) => name).filter((name) => !known[name]), "src/features/reference/examples.ts").toEqual([]);
});

test("examples send fields that there are, and everything is documented", () => {
  for (const { service, rpc, name } of all) {
    const fields = new Set((types[rpc.request]?.fields ?? []).map((field) => field.name));
    expect(Object.keys(requestOf(service, rpc, types)).filter((field) => !fields.has(field)), name).toEqual([]);
    expect(rpc.comment, name).not.toBe("");
  }
  for (const [name, type] of Object.entries(types)) for (const field of type.fields ?? []) expect(field.comment, `${name}.${field.name}`).not.toBe("");
});

test("an example reads as people write it", () => {
  const found = all.find(({ name }) => name === "PoolService/ExtendPool");
  if (!found) throw new Error("there is no ExtendPool");
  expect(grpcurl(found.service, found.rpc, types)).toBe(
    `grpcurl \\\n  -H "authorization: Bearer $SPROUT_TOKEN" \\\n  -d '{"id":"7","lease":"7200s"}' \\\n  sprout.example.com:7600 sprout.pool.v1.PoolService/ExtendPool`,
  );
  expect(pythonCall(found.service, found.rpc, types)).toContain("client.call(rpc, pool_pb2.ExtendPoolRequest(id=7, lease=Duration(seconds=7200)))");
});
