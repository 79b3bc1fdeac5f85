// One client for each service, over grpc-web to the gateway this page came from.
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { reason } from "$/api/errors";
import { session } from "$/api/session.svelte";

/** A call that has no answer after this time has failed. Streams pass `STREAM` instead. */
const DEADLINE = 20_000;
/** Options of a call that streams: it has no deadline. */
export const STREAM = { timeoutMs: 0 };

const signedOut: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    if (reason(error) === "NOT_SIGNED_IN") session.expired();
    throw error;
  }
};

export const transport = createGrpcWebTransport({
  baseUrl: location.origin,
  useBinaryFormat: true,
  defaultTimeoutMs: DEADLINE,
  interceptors: [signedOut],
});

/** A client of the service. */
export function client<T extends DescService>(service: T): Client<T> {
  return createClient(service, transport);
}
