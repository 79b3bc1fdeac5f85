// The API reference as plain data: services with their rpcs, and the messages and enums they need, with the comments of the protos.

/** Packages that are not for users of Sprout: other processes of an installation speak them among themselves. */
const HIDDEN = new Set(["sprout.sim.v1"]);
const HIDDEN_SERVICES = new Set(["DriverService"]);
const HIDDEN_RPCS = new Set(["WorkerService/Session"]);

const SCALARS = {
  1: "double", 2: "float", 3: "int64", 4: "uint64", 5: "int32", 8: "bool", 9: "string", 12: "bytes", 13: "uint32",
};

const text = (comment) => (comment ?? "").replace(/^ /gm, "").trim();

/** Comments of a file by the path of what they are about. */
function comments(file) {
  const found = new Map();
  for (const location of file.sourceCodeInfo?.location ?? []) found.set(location.path.join("."), text(location.leadingComments));
  return (...path) => found.get(path.join(".")) ?? "";
}

function field(one, comment, nested) {
  const entry = nested.get(one.typeName);
  let type = SCALARS[one.type] ?? one.typeName.slice(1);
  if (entry) type = `map<${SCALARS[entry.field[0].type]}, ${SCALARS[entry.field[1].type] ?? entry.field[1].typeName.slice(1)}>`;
  return {
    name: one.name,
    type,
    label: entry ? "" : one.label === 3 ? "repeated" : one.proto3Optional ? "optional" : "",
    oneof: one.oneofIndex !== undefined && !one.proto3Optional && Object.hasOwn(one, "oneofIndex"),
    comment,
  };
}

export function reference(files) {
  const services = [];
  const types = {};
  for (const file of files) {
    if (!file.package.startsWith("sprout.") || HIDDEN.has(file.package)) continue;
    const comment = comments(file);
    const message = (one, name, path) => {
      const nested = new Map();
      one.nestedType.forEach((inner, index) => {
        const full = `${name}.${inner.name}`;
        if (inner.options?.mapEntry) nested.set(`.${full}`, inner);
        else message(inner, full, [...path, 3, index]);
      });
      types[name] = {
        comment: comment(...path),
        fields: one.field.map((f, index) => field(f, comment(...path, 2, index), nested)),
      };
      one.enumType.forEach((inner, index) => enumeration(inner, `${name}.${inner.name}`, [...path, 4, index]));
    };
    const enumeration = (one, name, path) => {
      types[name] = {
        comment: comment(...path),
        values: one.value.map((v, index) => ({ name: v.name, comment: comment(...path, 2, index) })),
      };
    };
    file.messageType.forEach((one, index) => message(one, `${file.package}.${one.name}`, [4, index]));
    file.enumType.forEach((one, index) => enumeration(one, `${file.package}.${one.name}`, [5, index]));
    file.service.forEach((one, index) => {
      if (HIDDEN_SERVICES.has(one.name)) return;
      services.push({
        name: one.name,
        package: file.package,
        comment: comment(6, index),
        rpcs: one.method
          .map((rpc, place) => ({
            name: rpc.name,
            comment: comment(6, index, 2, place),
            request: rpc.inputType.slice(1),
            response: rpc.outputType.slice(1),
            streams: rpc.serverStreaming,
          }))
          .filter((rpc) => !HIDDEN_RPCS.has(`${one.name}/${rpc.name}`)),
      });
    });
  }
  services.sort((a, b) => a.name.localeCompare(b.name));
  // Only what the shown services reach.
  const reached = {};
  const reach = (name) => {
    if (reached[name] || !types[name]) return;
    reached[name] = types[name];
    for (const one of types[name].fields ?? []) for (const part of one.type.split(/[<>, ]+/)) reach(part);
  };
  for (const service of services) for (const rpc of service.rpcs) [rpc.request, rpc.response].forEach(reach);
  return { services, types: reached };
}
