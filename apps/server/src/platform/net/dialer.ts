import type { Socket } from "node:net";
import { OarsError } from "#platform/kernel";
import { addressRules } from "./address.ts";
import { Call } from "./call.ts";
import { type ConnectRequest, connectSocket } from "./connect.ts";
import { checkOwn, createEgress, type EgressRule, type TenantRules } from "./egress.ts";
import { AttemptFailed, asNetError, exchange, type RawAnswer } from "./exchange.ts";
import { isNetError, type NetError, netError } from "./failure.ts";
import { type ClientIdentity, createPools } from "./pools.ts";
import { type Hop, isRedirect, nextHop } from "./redirect.ts";
import { createNames, type Resolve, systemResolve } from "./resolve.ts";
import { checkHeaders, checkMethod, hostOf, parseTarget } from "./target.ts";

export interface DialerOptions {
  /** CIDR ranges that may be dialled although they are not public, such as `10.0.0.0/8`. */
  readonly allow: readonly string[];
  /** CIDR ranges that are never dialled; stronger than `allow`. */
  readonly deny?: readonly string[];
  readonly maxResponseBytes: number;
  readonly connectTimeoutMs: number;
  /** How long a name's addresses serve before the next lookup; 5,000 when absent. */
  readonly dnsTtlMs?: number;
  /** How long an unused connection stays open; 4,000 when absent. */
  readonly keepAliveMs?: number;
  /** Connections of one tenant to one address; 256 when absent. */
  readonly maxConnections?: number;
  /** Certificate authorities in PEM that replace the system's. */
  readonly ca?: string | readonly string[];
  readonly resolve?: Resolve;
  /** Hosts that tenants may reach; absent or empty: every host whose address is permitted. */
  readonly egress?: readonly EgressRule[];
  /** What each tenant allows itself, within `egress`. */
  readonly tenantRules?: TenantRules;
}

export interface DialRequest {
  readonly method: string;
  /** Absolute http or https URL without credentials. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
  /** Total: lookup, connection, request, whole answer and redirects. */
  readonly timeoutMs: number;
  /** Lowers or raises the dialer's own cap on the answer's body. */
  readonly maxResponseBytes?: number | undefined;
  /** 0 when absent: a redirect is an answer like any other. */
  readonly maxRedirects?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Connections are not shared between tenants. */
  readonly tenantId: string;
  /** Goes to the origin of `url` alone, not where a redirect leads. */
  readonly identity?: ClientIdentity | undefined;
}

export interface DialAnswer extends RawAnswer {
  /** The address that answered. */
  readonly address: string;
  readonly ms: number;
}

export interface Dialer {
  /**
   * Resolves with the complete answer, whatever its status. Rejects with a NetError (`isNetError`), whose
   * `sent` says whether the peer may have acted.
   */
  request(request: DialRequest): Promise<DialAnswer>;
  /** A TCP connection under the same rules, for other protocols. Rejects with a NetError; the caller closes it. */
  connect(request: ConnectRequest): Promise<Socket>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The one way out of the server. Throws CONFIG_INVALID when a range is not a CIDR. */
export function createDialer(options: DialerOptions): Dialer {
  const rules = addressRules({ allow: options.allow, deny: options.deny });
  const names = createNames({
    rules,
    resolve: options.resolve ?? systemResolve,
    ttlMs: options.dnsTtlMs ?? 5_000,
  });
  const pools = createPools({
    connectTimeoutMs: options.connectTimeoutMs,
    keepAliveMs: options.keepAliveMs ?? 4_000,
    maxConnections: options.maxConnections ?? 256,
    ca: options.ca,
  });
  const egress = createEgress(options.egress ?? []);
  let closing: Promise<void> | undefined;
  const refuseWhenClosing = (host: string): void => {
    if (closing === undefined) return;
    throw netError("NET_UNREACHABLE", { host, reason: "the server is stopping" }, { sent: false });
  };

  /** One hop: the addresses of its host in turn, until one accepts the connection. */
  const send = async (
    call: Call,
    hop: Hop,
    request: DialRequest,
    identity: ClientIdentity | undefined,
  ): Promise<RawAnswer & { address: string }> => {
    const host = hostOf(hop.url);
    const port = portOf(hop.url);
    egress.check(request.tenantId, host, port, call.sent);
    const own = checkOwn(options.tenantRules, request.tenantId, { host, port, sent: call.sent });
    if (own !== undefined) await call.orStop(own);
    const addresses = names.known(host) ?? (await call.orStop(names.find(host)));
    const { url, method, headers, body } = hop;
    const message = { path: url.pathname + url.search, method, headers, body };
    const limit = request.maxResponseBytes ?? options.maxResponseBytes;
    for (let i = 0; ; i++) {
      const address = addresses[i];
      if (address === undefined)
        throw netError("NET_UNREACHABLE", { host, reason: "its name has no address" }, call);
      try {
        const answer = await exchange(
          pools.for(request.tenantId, hop.url.origin, address, identity),
          call,
          message,
          limit,
        );
        return { ...answer, address };
      } catch (error) {
        const another = error instanceof AttemptFailed && !error.begun && i + 1 < addresses.length;
        if (!another || call.stopped !== undefined) throw asNetError(error, hop.url.host, call);
        names.demote(host, address);
      }
    }
  };

  const follow = async (
    call: Call,
    first: Hop,
    request: DialRequest,
  ): Promise<RawAnswer & { address: string }> => {
    let hop = first;
    for (let left = request.maxRedirects ?? 0; ; left--) {
      const identity = hop.url.origin === first.url.origin ? request.identity : undefined;
      const answer = await send(call, hop, request, identity);
      if (!isRedirect(answer.status) || (request.maxRedirects ?? 0) === 0) return answer;
      if (left === 0) {
        const reason = `it is one more than the ${request.maxRedirects} allowed`;
        throw netError("NET_REDIRECT_REFUSED", { host: hop.url.host, reason }, call);
      }
      hop = nextHop(hop, answer.status, answer.headers.location);
      call.httpStatus = undefined;
    }
  };

  return {
    async request(request) {
      const begin = performance.now();
      checkMethod(request.method);
      checkHeaders(request.headers);
      const { method, headers, body } = request;
      const url = parseTarget(request.url);
      refuseWhenClosing(url.host);
      const call = new Call(url.host, request.timeoutMs, request.signal);
      try {
        const answer = await follow(call, { url, method, headers, body }, request);
        return { ...answer, ms: performance.now() - begin };
      } catch (error) {
        throw isNetError(error) ? asSeenBy(call, error) : error;
      } finally {
        call.close();
      }
    },
    async connect({ host: name, port, tenantId, timeoutMs, signal }) {
      const host = name.endsWith(".") ? name.slice(0, -1) : name;
      refuseWhenClosing(host);
      egress.check(tenantId, host, port, false);
      const call = new Call(host, Math.min(timeoutMs, options.connectTimeoutMs), signal);
      try {
        const own = checkOwn(options.tenantRules, tenantId, { host, port, sent: false });
        if (own !== undefined) await call.orStop(own);
        return await connectSocket(call, names, host, port);
      } finally {
        call.close();
      }
    },
    close: () => (closing ??= pools.close()),
    [Symbol.asyncDispose]: () => (closing ??= pools.close()),
  };
}

const portOf = (url: URL): number =>
  url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);

/** A later hop may fail before it sends anything; what an earlier hop sent has been sent all the same. */
function asSeenBy(call: Call, error: NetError): NetError {
  if (error.sent || !call.sent) return error;
  return Object.assign(new OarsError(error.code, error.params, { cause: error.cause }), { sent: true });
}
