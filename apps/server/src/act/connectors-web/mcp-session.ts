/**
 * Which revision of MCP a server speaks, and how a request of that revision is written.
 * M1 `server/discover` decides: an answer to it makes the server stateless (2026-07-28); a refusal that only a server
 *    of the older kind gives leads to `initialize` (2025-11-25 and before). Anything else is no verdict.
 * M2 a verdict serves for ten minutes and one revision of the connection; a server that was upgraded is found then.
 * M3 a session that the server no longer knows (404) is begun anew once, and the request, which it did not take, is
 *    sent again.
 */
import { type CallContext, failed, isHeaderValue, type OperationOutcome } from "#act/connector-kit";
import type { Json } from "#platform/kernel";
import { callRpc, type RpcError, type RpcReply, type RpcSite, shown } from "./json-rpc.ts";
import { fieldAt } from "./web-call.ts";

export const modernRevision = "2026-07-28";
const legacyRevisions = ["2025-11-25", "2025-06-18", "2025-03-26"] as const;
const client = { name: "oars", version: "1" };
const verdictMs = 600_000;
const mostVerdicts = 1_000;

interface Verdict {
  readonly revision: string;
  /** Of servers that keep sessions. Never told to anyone. */
  readonly session?: string | undefined;
  readonly serverName: string;
  readonly until: number;
}

export interface McpRequest {
  readonly method: string;
  readonly params: { readonly [key: string]: Json };
  /** What the request is about: the tool. */
  readonly name?: string;
  readonly read: boolean;
  /** Those that the tool's schema asks for. */
  readonly headers?: Readonly<Record<string, string>>;
}

type Settings = RpcSite;
type Found = { readonly verdict: Verdict } | { readonly outcome: OperationOutcome };

export interface McpSessions {
  /** Sends one request as this connection's server wants it. */
  ask(context: CallContext<Settings>, request: McpRequest): Promise<RpcReply>;
  /** Finds out afresh what the server speaks. */
  greet(context: CallContext<Settings>): Promise<{ revision: string; serverName: string } | OperationOutcome>;
}

/** Verdicts of one process, at most 1,000; the oldest goes first. `now` in milliseconds. */
export function createMcpSessions(now: () => number = () => performance.now()): McpSessions {
  const verdicts = new Map<string, Verdict>();
  const remembered = (key: string): Verdict | undefined => {
    const verdict = verdicts.get(key);
    return verdict !== undefined && verdict.until > now() ? verdict : undefined;
  };
  const probe = async (context: CallContext<Settings>): Promise<Found> => {
    const found = await discover(context, now() + verdictMs);
    if ("outcome" in found) return found;
    const key = keyOf(context);
    verdicts.delete(key);
    verdicts.set(key, found.verdict);
    for (const oldest of verdicts.keys()) {
      if (verdicts.size <= mostVerdicts) break;
      verdicts.delete(oldest);
    }
    return found;
  };
  return {
    async ask(whole, request) {
      const context = withinTime(whole, now);
      const key = keyOf(whole);
      const known = remembered(key);
      const first = known === undefined ? await probe(context()) : { verdict: known };
      if ("outcome" in first) return { kind: "ended", outcome: first.outcome };
      const reply = await send(context(), first.verdict, request);
      const status = statusOf(reply);
      if (status !== undefined && status >= 400 && !isModernRefusal(reply)) verdicts.delete(key);
      if (status !== 404 || first.verdict.session === undefined) return reply;
      const again = await probe(context());
      if ("outcome" in again) return { kind: "ended", outcome: again.outcome };
      return await send(context(), again.verdict, request);
    },
    async greet(context) {
      const found = await probe(withinTime(context, now)());
      return "outcome" in found ? found.outcome : found.verdict;
    },
  };
}

const keyOf = ({ connection }: CallContext): string =>
  `${connection.tenantId}/${connection.id}/${connection.revision}`;

/** All requests of one operation share its time. */
function withinTime(whole: CallContext<Settings>, now: () => number): () => CallContext<Settings> {
  const total = Math.min(whole.timeoutMs, whole.connection.settings.timeout);
  const end = now() + total;
  return () => ({ ...whole, timeoutMs: Math.max(1, Math.floor(end - now())) });
}

const statusOf = (reply: RpcReply): number | undefined => {
  if (reply.kind !== "ended") return reply.answer.status;
  return reply.outcome.status === "unknown" ? undefined : reply.outcome.http;
};

/** [M1] */
async function discover(context: CallContext<Settings>, until: number): Promise<Found> {
  const ask = { method: "server/discover", params: {}, read: true } as const;
  const reply = await send(context, { revision: modernRevision, serverName: "", until }, ask);
  if (reply.kind === "result") {
    const versions = fieldAt(reply.result, "supportedVersions");
    if (!Array.isArray(versions)) return { outcome: noMcp(context, "no list of revisions") };
    if (versions.includes(modernRevision))
      return { verdict: { revision: modernRevision, serverName: serverNameOf(reply.result), until } };
    return overlaps(versions) ? initialize(context, until) : { outcome: noRevision(context, versions) };
  }
  if (reply.kind === "error" && modernErrors.has(reply.error.code)) {
    const supported = fieldAt(reply.error.data, "supported");
    if (reply.error.code !== unsupportedVersion) return { outcome: refused(context, reply.error) };
    return overlaps(supported)
      ? initialize(context, until)
      : { outcome: noRevision(context, supported as Json) }; // out of parsed JSON
  }
  const status = statusOf(reply);
  if (reply.kind === "error" || (status !== undefined && olderStatuses.has(status)))
    return initialize(context, until);
  return { outcome: reply.outcome };
}

/** The server compared headers with the body before it ran anything, and they differ or one is missing. */
export const headerMismatch = -32_020;
const unsupportedVersion = -32_022;
/** Codes that only servers of the stateless revision give. */
const modernErrors = new Set([headerMismatch, -32_021, unsupportedVersion]);
const isModernRefusal = (reply: RpcReply): boolean =>
  reply.kind === "error" && reply.error.code !== unsupportedVersion && modernErrors.has(reply.error.code);
const olderStatuses = new Set([400, 404, 405, 406]);
const overlaps = (versions: unknown): boolean =>
  Array.isArray(versions) && legacyRevisions.some((one) => versions.includes(one));

async function initialize(context: CallContext<Settings>, until: number): Promise<Found> {
  let session: string | undefined;
  const { dialer } = context;
  const listening: CallContext<Settings> = {
    ...context,
    dialer: {
      connect: (request) => dialer.connect(request),
      async request(request) {
        const answer = await dialer.request(request);
        session = answer.headers["mcp-session-id"];
        return answer;
      },
    },
  };
  const reply = await callRpc(listening, context.connection.settings, {
    method: "initialize",
    params: { protocolVersion: legacyRevisions[0], capabilities: {}, clientInfo: client },
    headers: {},
    read: true,
  });
  if (reply.kind === "ended") return { outcome: reply.outcome };
  if (reply.kind === "error") return { outcome: refused(context, reply.error) };
  const revision = legacyRevisions.find((one) => one === fieldAt(reply.result, "protocolVersion"));
  if (revision === undefined)
    return { outcome: noRevision(context, fieldAt(reply.result, "protocolVersion") as Json) }; // out of parsed JSON
  if (session !== undefined && !/^[\x21-\x7e]{1,1024}$/.test(session))
    return { outcome: noMcp(context, "a session id that is no visible ASCII") };
  const verdict = { revision, session, serverName: serverNameOf(reply.result), until };
  const told = await callRpc(context, context.connection.settings, {
    method: "notifications/initialized",
    params: {},
    headers: legacyHeaders(verdict),
    read: true,
    notification: true,
  });
  if (told.kind === "ended") return { outcome: told.outcome };
  return told.kind === "error" ? { outcome: refused(context, told.error) } : { verdict };
}

const legacyHeaders = (verdict: Verdict): Record<string, string> => ({
  "mcp-protocol-version": verdict.revision,
  ...(verdict.session === undefined ? {} : { "mcp-session-id": verdict.session }),
});

function send(context: CallContext<Settings>, verdict: Verdict, request: McpRequest): Promise<RpcReply> {
  const { method, params, read, name } = request;
  const site = context.connection.settings;
  if (verdict.revision !== modernRevision)
    return callRpc(context, site, { method, params, headers: legacyHeaders(verdict), read });
  const meta = {
    "io.modelcontextprotocol/protocolVersion": modernRevision,
    "io.modelcontextprotocol/clientInfo": client,
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const headers = {
    "mcp-protocol-version": modernRevision,
    "mcp-method": method,
    ...(name === undefined || !isHeaderValue(name) ? {} : { "mcp-name": name }),
    ...request.headers,
  };
  return callRpc(context, site, { method, params: { ...params, _meta: meta }, headers, read });
}

const serverNameOf = (result: Json): string => {
  const meta = fieldAt(result, "_meta");
  const info =
    fieldAt(result, "serverInfo") ??
    (typeof meta === "object" && meta !== null && "io.modelcontextprotocol/serverInfo" in meta
      ? meta["io.modelcontextprotocol/serverInfo"]
      : undefined);
  const name = fieldAt(info, "name");
  return typeof name === "string" ? name.slice(0, 100) : "";
};

const noMcp = ({ connection }: CallContext, what: string): OperationOutcome =>
  failed("MCP_PROTOCOL", `${connection.name} does not answer as an MCP server: ${what}.`);

const noRevision = ({ connection }: CallContext, offered: Json | undefined): OperationOutcome =>
  failed("MCP_REVISION", `${connection.name} speaks no revision of MCP that is spoken here.`, {
    details: { offered: shown(offered ?? null) },
  });

/** The server refused the request, so nothing happened. */
export const refused = ({ connection }: CallContext, error: RpcError): OperationOutcome =>
  failed("MCP_REFUSED", `${connection.name} refused: ${error.message.slice(0, 500)}.`, {
    details: { code: error.code, data: shown(error.data) },
  });
