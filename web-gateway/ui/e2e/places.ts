// What is around a Sprout: a trackerbot that lists templates, and machines on simulated providers that Sprout did not make.
import { connect } from "node:http2";
import { createServer, type Server } from "node:http";
import { create, type DescMethodStreaming, type DescMethodUnary, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { DriverService } from "../src/gen/sprout/provider/v1/driver_pb.ts";

/** Lists templates as a trackerbot does, all on one page. */
export function trackerbot(port: number, templates: { provider: string; name: string; group: string; usable: boolean }[]): Server {
  const objects = templates.map(({ provider, name, group, usable }, index) => ({
    id: index + 1,
    provider: { key: provider, type: "rhevm", active: true },
    template: { name, datestamp: "2020-06-01", group: { name: group }, ga_released: usable, custom_data: usable ? { build: index + 1 } : {} },
    usable,
    tested: true,
  }));
  const page = JSON.stringify({ meta: { limit: 100, offset: 0, next: null, previous: null, total_count: objects.length }, objects });
  return createServer((_request, response) => response.writeHead(200, { "content-type": "application/json" }).end(page)).listen(port, "127.0.0.1");
}

type Method = (DescMethodUnary | DescMethodStreaming) & { parent: { typeName: string } };

/** One gRPC call, and all that is answered. */
function call<M extends Method>(port: number, method: M, request: MessageInitShape<M["input"]>): Promise<MessageShape<M["output"]>[]> {
  return new Promise((done, fail) => {
    const session = connect(`http://127.0.0.1:${port}`);
    session.on("error", fail);
    const stream = session.request({ ":method": "POST", ":path": `/${method.parent.typeName}/${method.name}`, "content-type": "application/grpc", te: "trailers" });
    const parts: Buffer[] = [];
    let status: unknown;
    const take = (headers: Record<string, unknown>) => (status = headers["grpc-status"] === undefined ? status : `${String(headers["grpc-status"])} ${String(headers["grpc-message"] ?? "")}`);
    stream.on("response", take).on("trailers", take).on("error", fail);
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("end", () => {
      session.close();
      if (!String(status).startsWith("0 ")) return fail(new Error(`${method.name}: ${String(status)}`));
      const all = Buffer.concat(parts);
      const messages: MessageShape<M["output"]>[] = [];
      for (let at = 0; at < all.length; ) {
        const length = all.readUInt32BE(at + 1);
        messages.push(fromBinary(method.output, all.subarray(at + 5, at + 5 + length)) as MessageShape<M["output"]>);
        at += 5 + length;
      }
      done(messages);
    });
    const body = toBinary(method.input, create(method.input, request as never));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(body.length, 1);
    stream.end(Buffer.concat([head, body]));
  });
}

/** Makes a machine on the provider at `port`: somebody else's, or one that is left over of an appliance. */
export async function machine(port: number, name: string, template: string, tags?: { installationId: string; applianceId: bigint; epoch: bigint }): Promise<void> {
  await call(port, DriverService.method.createInstance, { name, template, ...tags && { tags } });
}

/** Which installation the machines on the provider at `port` are of. */
export async function installation(port: number): Promise<string> {
  const all = await call(port, DriverService.method.listInstances, {});
  const found = all.flatMap(({ instances }) => instances).find(({ tags }) => tags !== undefined)?.tags?.installationId;
  if (!found) throw new Error("there is no machine of ours yet");
  return found;
}
