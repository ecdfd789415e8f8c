import type { AddressInfo } from "node:net";
import { createServer, type Server as TcpServer } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { describe, expect, it } from "vitest";
import { emailConnector } from "./email-connector.ts";
import { type Wire, wireOf } from "./testing-wire.ts";

interface Post extends AsyncDisposable {
  readonly port: number;
  readonly mails: {
    readonly from: string;
    readonly to: string[];
    readonly text: string;
    readonly user: string;
  }[];
}

/** A real SMTP server that takes one user and keeps what it gets. */
async function post(more: SMTPServerOptions = {}): Promise<Post> {
  const mails: Post["mails"] = [];
  const server = new SMTPServer({
    disabledCommands: ["STARTTLS"],
    onAuth: ({ username, password }, _session, done) =>
      username === "oars" && password === "s3cret-pass"
        ? done(null, { user: username })
        : done(new Error("no")),
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom === false ? "" : mailFrom.address,
          to: rcptTo.map((one) => one.address),
          text: Buffer.concat(chunks).toString(),
          user: String(session.user ?? ""),
        });
        done();
      });
    },
    ...more,
  });
  server.on("error", () => undefined); // a client that leaves is what some tests are about
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = (server.server as TcpServer).address() as AddressInfo; // a listening TCP server has a port
  return {
    port,
    mails,
    [Symbol.asyncDispose]: () => new Promise((done) => server.close(done)),
  };
}

const mailer = (port: number, config: object = {}, password = "s3cret-pass"): Wire =>
  wireOf(
    emailConnector,
    {
      host: "127.0.0.1",
      port,
      security: "off",
      auth: { user: "oars", password: "vault:p" },
      from: "oars@example.com",
      fromName: "OARS",
      ...config,
    },
    { p: password },
  );

const mail = {
  to: ["ann@example.com"],
  cc: ["bob@example.org"],
  bcc: ["eve@example.com"],
  subject: "Größe",
  text: "Hello",
};

describe("mail through an SMTP server", () => {
  it("reaches every recipient, with the sender of the connection, and keeps bcc to itself", async () => {
    await using server = await post();
    const outcome = await mailer(server.port).act("email.send", {
      ...mail,
      html: "<b>Hello</b>",
      attachments: [
        { filename: "data.json", content: "eyJhIjoxfQ==", base64: true, contentType: "application/json" },
      ],
    });
    const all = ["ann@example.com", "bob@example.org", "eve@example.com"];
    expect(outcome).toMatchObject({
      status: "completed",
      output: { messageId: "<effect-1@example.com>", accepted: all, rejected: [] },
    });
    expect(server.mails).toMatchObject([{ from: "oars@example.com", to: all, user: "oars" }]);
    const text = server.mails[0]?.text ?? "";
    expect(text).toContain("From: OARS <oars@example.com>");
    expect(text).toContain("filename=data.json");
    expect(text).toContain("eyJhIjoxfQ==");
    expect(text).not.toContain("eve@");
  });

  it.each([
    ["a line break in the subject", { subject: "a\r\nBcc: x@evil.test" }],
    ["two addresses in one", { to: ["ann@example.com,x@evil.test"] }],
    ["a name with an address", { to: ["Ann <x@evil.test>"] }],
    ["a path as the name of an attachment", { attachments: [{ filename: "../x", content: "" }] }],
    ["a file in place of content", { attachments: [{ filename: "x", path: "/etc/passwd" }] }],
    ["no text", { text: undefined }],
    ["no recipient", { to: [] }],
  ])("is refused with %s", (_what, change) => {
    const input = emailConnector.operations["email.send"]?.input;
    expect(input?.safeParse({ connection: "c", ...mail, ...change }).success).toBe(false);
  });

  it("goes to the domains and as many recipients as the connection allows", () => {
    expect(() => mailer(25, { allowedDomains: ["example.com"] }).describe("email.send", mail)).toThrow(
      expect.objectContaining({ errors: [expect.objectContaining({ code: "EMAIL_DOMAIN" })] }),
    );
    expect(() => mailer(25, { maxRecipients: 2 }).describe("email.send", mail)).toThrow(
      expect.objectContaining({ errors: [expect.objectContaining({ code: "EMAIL_RECIPIENTS" })] }),
    );
  });

  it("fails without a trace of the password when the server does not take it", async () => {
    await using server = await post();
    const outcome = await mailer(server.port, {}, "wrong-pass").act("email.send", mail);
    expect(outcome).toMatchObject({ status: "failed", retryable: false, error: { code: "SMTP_535" } });
    expect(JSON.stringify(outcome)).not.toMatch(/wrong-pass|d3JvbmctcGFzcw/);
    expect(server.mails).toEqual([]);
  });

  it.each([
    [451, true],
    [550, false],
  ])("that is refused with %i failed; retryable: %s", async (responseCode, retryable) => {
    await using server = await post({
      onRcptTo: (_to, _session, done) => done(Object.assign(new Error("not here"), { responseCode })),
    });
    expect(await mailer(server.port).act("email.send", mail)).toMatchObject({
      status: "failed",
      retryable,
      error: { code: `SMTP_${responseCode}` },
    });
  });

  it("whose server goes away after the content is unknown, and before it failed", async () => {
    const cutAt = async (word: string) => {
      const server = createServer((socket) => {
        socket.on("error", () => undefined).write("220 hi\r\n");
        socket.on("data", (data) => {
          const line = data.toString();
          if (line.startsWith(word) || (word === "." && line.includes("\r\n.\r\n"))) return socket.destroy();
          if (line.startsWith("DATA")) return socket.write("354 go\r\n");
          return socket.write("250 ok\r\n");
        });
      });
      await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
      const { port } = server.address() as AddressInfo; // a listening TCP server has a port
      try {
        return await mailer(port, { auth: undefined }).act("email.send", mail);
      } finally {
        server.close();
      }
    };
    expect(await cutAt("MAIL")).toMatchObject({ status: "failed", retryable: true });
    expect(await cutAt(".")).toMatchObject({ status: "unknown" });
  });

  it("needs TLS before anything else unless the connection says otherwise", async () => {
    await using server = await post({ disabledCommands: ["STARTTLS"] });
    expect(await mailer(server.port, { security: "starttls" }).act("email.send", mail)).toMatchObject({
      status: "failed",
    });
    expect(server.mails).toEqual([]);
  });

  it("is not sent to a server whose certificate no authority vouches for", async () => {
    await using server = await post({ disabledCommands: [], authOptional: true });
    const outcome = await mailer(server.port, { security: "starttls", auth: undefined }).act(
      "email.send",
      mail,
    );
    expect(outcome).toMatchObject({ status: "failed", error: { code: "SMTP_TLS" }, retryable: false });
    expect(server.mails).toEqual([]);
  });

  it("is tested by signing in, and nothing is sent", async () => {
    await using server = await post();
    expect(await mailer(server.port).test()).toMatchObject({ ok: true });
    expect(await mailer(server.port, {}, "wrong").test()).toMatchObject({ ok: false, code: "SMTP_535" });
    expect(server.mails).toEqual([]);
  });
});
