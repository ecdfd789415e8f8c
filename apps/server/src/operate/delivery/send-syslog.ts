/**
 * Syslog, RFC 5424, over TLS (RFC 5425) or TCP (RFC 6587), both with octet counting. The protocol has no answer: a batch
 * counts as taken when the peer has acknowledged every byte and closed after us without a reset.
 */
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Severity } from "#platform/events";
import { isOarsError } from "#platform/kernel";
import type { Item, Sent } from "./domain.ts";
import { type Rendering, render, severityOf, timeOf } from "./format.ts";
import type { Outside } from "./send-http.ts";
import type { ConfigOf } from "./target-config.ts";

const levels: Readonly<Record<Severity, number>> = { info: 6, low: 5, medium: 4, high: 3, critical: 2 };

/** In a parameter of structured data `"`, `\` and `]` are escaped. */
const param = (text: string): string => text.replace(/["\\\]]/g, "\\$&");
/** Fields of the header are printable ASCII without spaces. */
const field = (text: string, max: number): string => text.replace(/[^\x21-\x7e]/g, "_").slice(0, max) || "-";

/** One message with its length before it. */
export function frame(config: ConfigOf<"syslog">, item: Item, how: Rendering): string {
  const priority = config.facility * 8 + levels[severityOf(item.payload)];
  const rendered = render(item, how);
  const body = typeof rendered === "string" ? rendered : JSON.stringify(rendered);
  const kind = item.payload.kind === "event" ? item.payload.event.type : item.payload.alert.code;
  const header = [
    `<${priority}>1`,
    new Date(timeOf(item.payload)).toISOString(),
    field(new URL(how.origin).hostname, 255),
    field(config.appName, 48),
    "-",
    field(kind, 32),
    `[origin software="OARS" swVersion="${param(how.version)}"]`,
  ].join(" ");
  const message = `${header} \ufeff${body}`;
  return `${Buffer.byteLength(message)} ${message}`;
}

export async function sendSyslog(
  outside: Outside,
  config: ConfigOf<"syslog">,
  items: readonly Item[],
  how: Rendering,
): Promise<Sent> {
  const { host, port } = config;
  let plain: Socket;
  try {
    const { tenantId, timeoutMs, signal } = outside;
    plain = await outside.dialer.connect({ host, port, tenantId, timeoutMs, signal });
  } catch (error) {
    if (isOarsError(error)) return { kind: "unavailable", message: `${error.code}: ${error.message}` };
    throw error;
  }
  const bytes = items.map((item) => frame(config, item, how)).join("");
  return new Promise((resolve) => {
    const end = (sent: Sent): void => {
      clearTimeout(timer);
      socket.on("error", () => undefined).destroy();
      plain.destroy();
      resolve(sent);
    };
    const failed = (message: string): void => end({ kind: "unavailable", message });
    const timer = setTimeout(
      () => failed(`took no complete batch within ${outside.timeoutMs} ms`),
      outside.timeoutMs,
    );
    plain.on("error", (error) => failed(error.message));
    const socket: Socket = config.tls
      ? connectTls({
          socket: plain,
          ...(/^[\d.:]+$/.test(host) ? {} : { servername: host }),
          host,
          ...(config.ca === undefined ? {} : { ca: config.ca }),
        })
      : plain;
    socket.on("error", (error) => failed(error.message));
    let flushed = false;
    const write = (): void => {
      socket.end(bytes, () => {
        flushed = true;
      });
      socket.resume(); // nobody says anything, but its end is to be seen
    };
    socket.once("close", () =>
      flushed ? end({ kind: "delivered" }) : failed("closed before it took everything"),
    );
    if (config.tls) socket.once("secureConnect", write);
    else write();
  });
}
