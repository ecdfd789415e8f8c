import { createHash, createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { s3Connector } from "./s3-connector.ts";
import { type Asked, act, site, testOf } from "./testing-site.ts";

const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** The signature of a request by the published rules of Signature Version 4, as a store computes it. */
function signatureOf(
  secret: string,
  at: { date: string; region: string },
  request: { method: string; path: string; query: string; headers: Record<string, string>; payload: string },
): string {
  const names = Object.keys(request.headers).sort();
  const canonical = [
    request.method,
    request.path,
    request.query,
    ...names.map((name) => `${name}:${request.headers[name]}`),
    "",
    names.join(";"),
    request.payload,
  ].join("\n");
  const day = at.date.slice(0, 8);
  const scope = `${day}/${at.region}/s3/aws4_request`;
  const key = ["s3", "aws4_request"].reduce(hmac, hmac(hmac(`AWS4${secret}`, day), at.region));
  return hmac(key, ["AWS4-HMAC-SHA256", at.date, scope, sha256(canonical)].join("\n")).toString("hex");
}

const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/** A store that keeps objects and refuses whatever is not signed for what it asks. */
function storeOf() {
  const objects = new Map<string, string>();
  const refuse = (code: string, status: number) => ({ status, body: `<Error><Code>${code}</Code></Error>` });
  const verified = (asked: Asked): boolean => {
    const parts =
      /Credential=AKIA\/\d{8}\/eu-1\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/;
    const [, signed = "", signature] = parts.exec(String(asked.headers.authorization)) ?? [];
    const headers = Object.fromEntries(signed.split(";").map((name) => [name, String(asked.headers[name])]));
    const [path = "", query = ""] = asked.url.split("?");
    const payload = String(asked.headers["x-amz-content-sha256"]);
    const date = String(asked.headers["x-amz-date"]);
    if (!("host" in headers) || payload !== sha256(asked.text)) return false;
    const canonicalQuery = query.split("&").filter(Boolean).sort().join("&");
    const request = { method: asked.method, path, query: canonicalQuery, headers, payload };
    return signatureOf(secret, { date, region: "eu-1" }, request) === signature;
  };
  return site((asked) => {
    if (!verified(asked)) return refuse("SignatureDoesNotMatch", 403);
    const key = decodeURIComponent(asked.url.split("?")[0] ?? "");
    if (asked.method === "PUT") {
      objects.set(key, asked.text);
      return { headers: { etag: '"e1"' } };
    }
    if (asked.method === "DELETE") return { status: objects.delete(key) ? 204 : 204 };
    if (asked.url.includes("list-type=2")) {
      const rows = [...objects].map(
        ([name, text]) => `<Contents><Key>${name.slice(3)}</Key><Size>${text.length}</Size></Contents>`,
      );
      return {
        body: `<ListBucketResult>${rows.join("")}<NextContinuationToken>n1</NextContinuationToken></ListBucketResult>`,
      };
    }
    const found = objects.get(key);
    return found === undefined
      ? refuse("NoSuchKey", 404)
      : { headers: { "content-type": "text/plain" }, body: found };
  });
}

const config = (url: string) => ({
  url,
  region: "eu-1",
  bucket: "abc",
  accessKeyId: "AKIA",
  secretAccessKey: "vault:s",
});

describe("the store that the tests run against", () => {
  it("computes the signature of the published example (GetObject with a Range)", () => {
    const empty = sha256("");
    const request = {
      method: "GET",
      path: "/test.txt",
      query: "",
      headers: {
        host: "examplebucket.s3.amazonaws.com",
        range: "bytes=0-9",
        "x-amz-content-sha256": empty,
        "x-amz-date": "20130524T000000Z",
      },
      payload: empty,
    };
    expect(signatureOf(secret, { date: "20130524T000000Z", region: "us-east-1" }, request)).toBe(
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
  });
});

describe("objects in an S3-compatible store", () => {
  const on = (origin: string, name: string, input: object, s = secret) =>
    act(s3Connector, config(origin), name, input, { s });

  it.each(["orders/7.json", "a b+c.txt", "ünï/(x)'*!~.txt", "100%/é&=?#.txt", "a//b"])(
    "are stored, read, listed and deleted under the key %s, with every request signed",
    async (key) => {
      await using store = await storeOf();
      expect(await on(store.origin, "s3.put_object", { key, body: "héllo" })).toMatchObject({
        status: "completed",
        output: { etag: '"e1"' },
      });
      expect(await on(store.origin, "s3.get_object", { key })).toMatchObject({
        status: "completed",
        output: { body: "héllo", base64: false, contentType: "text/plain" },
      });
      expect(await on(store.origin, "s3.list_objects", { prefix: "a b/ü" })).toMatchObject({
        output: { objects: [{ size: 5 }], token: "n1" },
      });
      expect(await on(store.origin, "s3.delete_object", { key })).toMatchObject({ output: { key } });
      expect(await on(store.origin, "s3.get_object", { key })).toMatchObject({
        status: "failed",
        error: { code: "S3_NOSUCHKEY" },
        retryable: false,
      });
    },
  );

  it("are refused with the store's code when the secret is wrong, which is never told", async () => {
    await using store = await storeOf();
    const outcome = await on(store.origin, "s3.put_object", { key: "a", body: "b" }, "wrong-secret");
    expect(outcome).toMatchObject({ status: "failed", error: { code: "S3_SIGNATUREDOESNOTMATCH" } });
    expect(JSON.stringify(outcome)).not.toContain("wrong-secret");
  });

  it.each(["a/../b", "../x", ".", "a/./b", "a\nb"])(
    "refuse the key %j, which could name another object",
    (key) => {
      expect(s3Connector.operations["s3.get_object"]?.input.safeParse({ connection: "c", key }).success).toBe(
        false,
      );
    },
  );

  it("are tested by listing one", async () => {
    await using store = await storeOf();
    expect(await testOf(s3Connector, config(store.origin), { s: secret })).toMatchObject({ ok: true });
    expect(await testOf(s3Connector, config(store.origin), { s: "wrong" })).toMatchObject({
      ok: false,
      code: "S3_SIGNATUREDOESNOTMATCH",
    });
  });
});
