import type { Socket } from "node:net";
import { createTransport } from "nodemailer";
import {
  brokenOff,
  type CallContext,
  failed,
  type OperationContext,
  type OperationOutcome,
  refusal,
  scrubber,
  type TestReport,
} from "#act/connector-kit";
import type { EmailInput, EmailSettings } from "./email-connector.ts";

interface Progress {
  /** The content of the message may have left. */
  data: boolean;
}

interface Opened {
  readonly transport: ReturnType<typeof transportOver>;
  readonly socket: Socket;
  readonly progress: Progress;
  readonly clean: (text: string) => string;
}

/** A session over a judged socket, or the outcome that says why there is none. */
async function open(context: CallContext<EmailSettings>): Promise<Opened | OperationOutcome> {
  const { settings, tenantId } = context.connection;
  try {
    const password = settings.auth === undefined ? "" : await context.secrets(settings.auth.password);
    const { host, port } = settings;
    const timeoutMs = Math.min(context.timeoutMs, settings.timeout);
    const socket = await context.dialer.connect({ host, port, timeoutMs, signal: context.signal, tenantId });
    const progress: Progress = { data: false };
    const transport = transportOver(socket, settings, password, timeoutMs, progress);
    return { transport, socket, progress, clean: scrubber([password]) };
  } catch (error) {
    return refusal(error);
  }
}

/** nodemailer tells its commands to its logger and nowhere else; the only word that counts is DATA. */
const commandsTo = (progress: Progress) => {
  const heard = (entry: unknown, line: unknown): void => {
    const client = typeof entry === "object" && entry !== null && "tnx" in entry && entry.tnx === "client";
    if (client && String(line).trim() === "DATA") progress.data = true;
  };
  const silent = (): void => undefined;
  return {
    level: silent,
    trace: silent,
    debug: heard,
    info: silent,
    warn: silent,
    error: silent,
    fatal: silent,
  };
};

const transportOver = (
  socket: Socket,
  settings: EmailSettings,
  password: string,
  timeoutMs: number,
  progress: Progress,
) =>
  createTransport({
    logger: commandsTo(progress),
    transactionLog: true,
    connection: socket,
    host: settings.host,
    port: settings.port,
    secure: settings.security === "tls",
    requireTLS: settings.security === "starttls",
    ignoreTLS: settings.security === "off",
    tls: {
      servername: settings.host,
      rejectUnauthorized: true,
      ...(settings.ca === undefined ? {} : { ca: settings.ca }),
    },
    ...(settings.auth === undefined ? {} : { auth: { user: settings.auth.user, pass: password } }),
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true, // content comes from the input alone: no paths, no URLs
    disableUrlAccess: true,
  });

/**
 * Sends one message. A server that refused it before the data is final; after that only its answer tells, and
 * without one the message may be under way.
 */
export async function sendMail(
  context: OperationContext<EmailSettings>,
  input: EmailInput,
): Promise<OperationOutcome> {
  const { settings, name } = context.connection;
  const opened = await open(context);
  if ("status" in opened) return opened;
  const { transport, socket, clean } = opened;
  const timer = setTimeout(() => socket.destroy(), Math.min(context.timeoutMs, settings.timeout));
  try {
    const sent = await transport.sendMail({
      from: { name: settings.fromName ?? "", address: settings.from },
      to: input.to,
      cc: input.cc,
      bcc: input.bcc,
      replyTo: input.replyTo,
      subject: input.subject,
      text: input.text,
      html: input.html,
      priority: input.priority,
      messageId: `<${context.idempotencyKey.replace(/[^A-Za-z0-9._-]/g, "")}@${settings.from.split("@")[1]}>`,
      attachments: input.attachments.map(({ base64, ...rest }) => ({
        ...rest,
        encoding: base64 ? "base64" : "utf8",
      })),
    });
    const { messageId, accepted, rejected, response } = sent;
    const texts = (list: readonly unknown[]): string[] => list.map(String);
    return {
      status: "completed",
      output: { messageId, accepted: texts(accepted), rejected: texts(rejected), response: clean(response) },
    };
  } catch (error) {
    return outcomeOf(error, name, opened);
  } finally {
    clearTimeout(timer);
    transport.close();
    socket.destroy();
  }
}

function outcomeOf(error: unknown, name: string, at: Pick<Opened, "clean" | "progress">): OperationOutcome {
  if (!(error instanceof Error)) throw error;
  const fact = (field: string): unknown => (field in error ? Reflect.get(error, field) : undefined);
  const status = Number(fact("responseCode")) || undefined;
  const message = `${name}: ${at.clean(error.message).slice(0, 500)}`;
  // RFC 5321 §4.2.1: 4yz is a refusal for now, 5yz for good; either way the message was not taken.
  if (status !== undefined && status >= 400)
    return failed(`SMTP_${status}`, message, { retryable: status < 500 });
  const certificate = /certificate|altnames/i.test(error.message);
  const code = certificate ? "SMTP_TLS" : `SMTP_${String(fact("code") ?? "ECONNECTION").replace(/^E/, "")}`;
  const passing = !["SMTP_AUTH", "SMTP_TLS", "SMTP_ENVELOPE", "SMTP_MESSAGE"].includes(code);
  return brokenOff({ code, message }, { sent: at.progress.data, idempotent: false, passing });
}

/** Greets, upgrades and signs in; sends nothing. */
export async function verifyMail(context: CallContext<EmailSettings>): Promise<TestReport> {
  const { host, port } = context.connection.settings;
  const opened = await open(context);
  if ("status" in opened) {
    if (opened.status === "completed") throw new Error("nothing was done");
    return { ok: false, code: opened.error.code, message: opened.error.message };
  }
  try {
    await opened.transport.verify();
    return { ok: true, message: `${host}:${port} took the credentials.` };
  } catch (error) {
    const outcome = outcomeOf(error, context.connection.name, opened);
    if (outcome.status === "completed") throw error;
    return { ok: false, code: outcome.error.code, message: outcome.error.message };
  } finally {
    opened.transport.close();
    opened.socket.destroy();
  }
}
