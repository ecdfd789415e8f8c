import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { sftpConnector } from "./sftp-connector.ts";
import { type Files, filesServer } from "./testing-sftp.ts";
import { type Wire, wireOf } from "./testing-wire.ts";

const remote = (server: Files, config: object = {}, password = "s3cret-pass"): Wire =>
  wireOf(
    sftpConnector,
    {
      host: "127.0.0.1",
      port: server.port,
      user: "oars",
      auth: { password: "vault:p" },
      hostKey: server.hostKey,
      root: "/orders",
      ...config,
    },
    { p: password },
  );

async function withOrders(dropOn: "RENAME" | "REMOVE" | "" = ""): Promise<Files> {
  const server = await filesServer(dropOn);
  mkdirSync(`${server.folder}/orders/in`, { recursive: true });
  writeFileSync(`${server.folder}/orders/in/7.xml`, "<ö/>");
  writeFileSync(`${server.folder}/secret.txt`, "not yours");
  return server;
}

describe("files on an SFTP server", () => {
  it("are listed, read, written, moved and deleted below the root", async () => {
    await using server = await withOrders();
    const files = remote(server);
    expect(await files.act("sftp.list", { path: "/in" })).toMatchObject({
      status: "completed",
      output: { entries: [{ name: "7.xml", type: "file", size: 5 }], complete: true },
    });
    expect(await files.act("sftp.download", { path: "/in/7.xml" })).toMatchObject({
      output: { content: "<ö/>", base64: false, size: 5 },
    });
    expect(
      await files.act("sftp.upload", { path: "/in/8 b.bin", content: "AP8=", base64: true }),
    ).toMatchObject({
      output: { path: "/in/8 b.bin", size: 2 },
    });
    expect([...readFileSync(`${server.folder}/orders/in/8 b.bin`)]).toEqual([0, 255]);
    expect(await files.act("sftp.download", { path: "/in/8 b.bin" })).toMatchObject({
      output: { content: "AP8=", base64: true },
    });
    expect(await files.act("sftp.move", { path: "/in/8 b.bin", to: "/8.bin" })).toMatchObject({
      status: "completed",
    });
    expect(await files.act("sftp.delete", { path: "/8.bin" })).toMatchObject({ status: "completed" });
    expect(readdirSync(`${server.folder}/orders`)).toEqual(["in"]);
  });

  it("are replaced only when the input says so, and never seen half written", async () => {
    await using server = await withOrders();
    const files = remote(server);
    const input = { path: "/in/7.xml", content: "<b/>" };
    expect(await files.act("sftp.upload", input)).toMatchObject({
      status: "failed",
      error: { code: "SFTP_EXISTS" },
    });
    expect(await files.act("sftp.upload", { ...input, overwrite: true })).toMatchObject({
      status: "completed",
    });
    expect(readFileSync(`${server.folder}/orders/in/7.xml`, "utf8")).toBe("<b/>");
    expect(readdirSync(`${server.folder}/orders/in`)).toEqual(["7.xml"]);
    expect(await files.act("sftp.move", { path: "/in/7.xml", to: "/in/7.xml" })).toMatchObject({
      error: { code: "SFTP_EXISTS" },
    });
  });

  it.each([
    "/../secret.txt",
    "/in/../../secret.txt",
    "secret.txt",
    "/in//7.xml",
    "/in\\7.xml",
    "/in/7\n.xml",
    "/in/",
  ])("are not reached by the path %j", (path) =>
    expect(
      sftpConnector.operations["sftp.download"]?.input.safeParse({ connection: "c", path }).success,
    ).toBe(false),
  );

  it("are not reached through links that lead out of the root", async () => {
    await using server = await withOrders();
    symlinkSync(server.folder, `${server.folder}/orders/up`);
    symlinkSync(`${server.folder}/secret.txt`, `${server.folder}/orders/link.txt`);
    for (const path of ["/up/secret.txt", "/link.txt"]) {
      expect(await remote(server).act("sftp.download", { path })).toMatchObject({
        status: "failed",
        error: { code: "SFTP_OUTSIDE" },
      });
    }
    expect(await remote(server).act("sftp.upload", { path: "/up/x", content: "" })).toMatchObject({
      error: { code: "SFTP_OUTSIDE" },
    });
  });

  it("of a server with another key are not touched, and it does not get the password", async () => {
    await using server = await withOrders();
    const outcome = await remote(server, { hostKey: `SHA256:${"A".repeat(43)}` }).act("sftp.list", {});
    expect(outcome).toMatchObject({ status: "failed", retryable: false, error: { code: "SFTP_HOST_KEY" } });
    expect(server.logins()).toBe(0);
  });

  it("need the right password, which no outcome shows", async () => {
    await using server = await withOrders();
    const outcome = await remote(server, {}, "wrong-pass").act("sftp.list", {});
    expect(outcome).toMatchObject({ status: "failed", retryable: false, error: { code: "SFTP_AUTH" } });
    expect(JSON.stringify(outcome)).not.toContain("wrong-pass");
  });

  it("that are missing or too large fail for good", async () => {
    await using server = await withOrders();
    expect(await remote(server).act("sftp.download", { path: "/in/none.xml" })).toMatchObject({
      status: "failed",
      retryable: false,
      error: { code: "SFTP_ENOENT" },
    });
    expect(await remote(server, { maxBytes: 4 }).act("sftp.download", { path: "/in/7.xml" })).toMatchObject({
      error: { code: "SFTP_TOO_LARGE" },
    });
  });

  it("are in an unknown state when the connection breaks in the middle of a change that must not be repeated", async () => {
    await using renaming = await withOrders("RENAME");
    expect(await remote(renaming).act("sftp.move", { path: "/in/7.xml", to: "/7.xml" })).toMatchObject({
      status: "unknown",
    });
    await using removing = await withOrders("REMOVE");
    expect(await remote(removing).act("sftp.delete", { path: "/in/7.xml" })).toMatchObject({
      status: "unknown",
    });
  });

  it("are tested by listing the root", async () => {
    await using server = await withOrders();
    expect(await remote(server).test()).toMatchObject({ ok: true });
    expect(await remote(server, { root: "/none" }).test()).toMatchObject({ ok: false });
  });
});
