/** Exports, read by decoders that are not ours: cbor-x, jose, node:crypto, and a Merkle path written from the RFC. */
import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { Decoder, decode, type Tag } from "cbor-x";
import { compactVerify, importJWK } from "jose";
import { describe, expect, it } from "vitest";
import { CborMap, encodeCbor } from "./cbor.ts";
import { toCloudEvent } from "./cloud-event.ts";
import { encodeCoseReceipt, encodeCoseStatement } from "./cose.ts";
import { toDsse } from "./dsse.ts";
import { inclusionProof, leafHash, leavesReader, rootHash } from "./merkle.ts";
import { publicKeyOf, signReceipt } from "./node.ts";
import { sha256 } from "./sha256.ts";

const receiptKey = generateKeyPairSync("ed25519");
const logKey = generateKeyPairSync("ed25519");
const kid = publicKeyOf(receiptKey.privateKey).keyId;
const digest = "c".repeat(64);
const body = {
  v: 1,
  typ: "action.decision",
  rid: "rct_01jdzx0000e01sz5ke6vs00001",
  nonce: "AAAAAAAAAAAAAAAAAAAAAA",
  iss: "https://oars.example/t/x",
  log: "oars.example/log/x",
  ts: "2026-11-20T10:00:00.000Z",
  action: { id: "act_01jdzx0000e01sz5ke6vs00001", digest: `sha256:${digest}` },
  decision: { effect: "allow" },
  trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
} as const;
const { jws, leafHash: leaf } = signReceipt(body, receiptKey.privateKey, kid);

const withMaps = new Decoder({ mapsAsObjects: false });

const hash = (...parts: readonly Uint8Array[]): Uint8Array =>
  createHash("sha256").update(Buffer.concat(parts)).digest();

/** RFC 9162 §2.1.3.2, step by step. */
function rootByRfc(start: Uint8Array, index: number, size: number, path: readonly Uint8Array[]): Uint8Array {
  let fn = index;
  let sn = size - 1;
  let r = start;
  for (const p of path) {
    if (sn === 0) throw new Error("the path is too long");
    if (fn % 2 === 1 || fn === sn) {
      r = hash(Uint8Array.of(1), p, r);
      while (fn % 2 === 0 && fn !== 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else r = hash(Uint8Array.of(1), r, p);
    fn >>= 1;
    sn >>= 1;
  }
  if (sn !== 0) throw new Error("the path is too short");
  return r;
}

describe("exports", () => {
  it("CBOR is what another decoder reads, in the shortest form", () => {
    const value = [0, 23, 24, 255, 256, 65_536, 2 ** 32 - 1, -1, -19, -257, "Ω", Uint8Array.of(1, 2), null];
    expect(decode(encodeCbor(value))).toEqual(value);
    expect(decode(encodeCbor(2 ** 40))).toBe(2n ** 40n);
    expect(Buffer.from(encodeCbor([1000, -500])).toString("hex")).toBe("821903e83901f3");
    expect(
      Buffer.from(
        encodeCbor(
          new CborMap([
            ["b", 1],
            [10, 2],
            [-1, 3],
          ]),
        ),
      ).toString("hex"),
    ).toBe("a30a022003616201");
    expect(() => encodeCbor(1.5)).toThrow(RangeError);
  });

  it("COSE: cbor-x reads the statement, its signatures hold, and the receipt leads to the root of the same tree", async () => {
    const leaves = Array.from({ length: 11 }, (_, i) =>
      i === 5 ? leaf : leafHash(Uint8Array.of(i), sha256),
    );
    const root = rootHash(leaves.length, leavesReader(leaves, sha256), sha256);
    const hashes = inclusionProof(5, leaves.length, leavesReader(leaves, sha256), sha256);
    const receipt = await encodeCoseReceipt({ kid: "log", index: 5, size: 11, hashes, root }, (m) =>
      sign(null, m, logKey.privateKey),
    );
    const statement = await encodeCoseStatement({ jws, kid, receipts: [receipt] }, (m) =>
      sign(null, m, receiptKey.privateKey),
    );
    type Sign1 = [Uint8Array, Map<number, unknown>, Uint8Array | null, Uint8Array];
    const read = (bytes: Uint8Array): Sign1 => {
      const tag = withMaps.decode(bytes) as Tag;
      expect(tag.tag).toBe(18);
      return tag.value as Sign1;
    };
    const structure = (protectedHeader: Uint8Array, payload: Uint8Array): Uint8Array =>
      encodeCbor(["Signature1", protectedHeader, new Uint8Array(), payload]);

    const [header, unprotected, payload, signature] = read(statement);
    expect(withMaps.decode(header)).toEqual(
      new Map<number, unknown>([
        [1, -19],
        [3, "application/agent-receipt+sd-jwt"],
        [4, new TextEncoder().encode(kid)],
      ]),
    );
    expect(Buffer.from(payload ?? []).toString()).toBe(jws);
    expect(
      verify(null, structure(header, payload ?? new Uint8Array()), receiptKey.publicKey, signature),
    ).toBe(true);

    const [inner] = unprotected.get(394) as Uint8Array[];
    const [logHeader, proofs, detached, logSignature] = read(inner ?? new Uint8Array());
    expect(withMaps.decode(logHeader)).toEqual(
      new Map<number, unknown>([
        [1, -19],
        [4, new TextEncoder().encode("log")],
        [395, 1],
      ]),
    );
    expect(detached).toBeNull();
    const [proof] = (proofs.get(396) as Map<number, Uint8Array[]>).get(-1) as Uint8Array[];
    const [size, index, path] = decode(proof ?? new Uint8Array()) as [number, number, Uint8Array[]];
    const entry = Buffer.concat([Uint8Array.of(1), hash(Buffer.from(jws))]);
    const computed = rootByRfc(hash(Uint8Array.of(0), entry), index, size, path);
    expect(Buffer.from(computed)).toEqual(Buffer.from(root));
    expect(verify(null, structure(logHeader, computed), logKey.publicKey, logSignature)).toBe(true);
    const other = rootByRfc(hash(Uint8Array.of(0), entry), 4, size, path);
    expect(verify(null, structure(logHeader, other), logKey.publicKey, logSignature)).toBe(false);
  });

  it("DSSE: the signature holds over the pre-authentication encoding, and the in-toto subject is the action", async () => {
    const envelope = await toDsse(jws, kid, (m) => sign(null, m, receiptKey.privateKey), sha256);
    const payload = Buffer.from(envelope.payload, "base64");
    const signed = `DSSEv1 28 application/vnd.in-toto+json ${payload.length} ${payload.toString("latin1")}`;
    const { sig, keyid } = envelope.signatures[0] ?? { sig: "", keyid: "" };
    expect(keyid).toBe(kid);
    const publicKey = createPublicKey(receiptKey.privateKey);
    expect(verify(null, Buffer.from(signed, "latin1"), publicKey, Buffer.from(sig, "base64"))).toBe(true);
    const statement = JSON.parse(payload.toString());
    expect(statement).toMatchObject({
      _type: "https://in-toto.io/Statement/v1",
      subject: [
        { name: body.rid, digest: { sha256: Buffer.from(hash(Buffer.from(jws))).toString("hex") } },
        { name: body.action.id, digest: { sha256: digest } },
      ],
    });
    const jwk = createPublicKey(receiptKey.privateKey).export({ format: "jwk" });
    const again = await compactVerify(statement.predicate.jws, await importJWK(jwk, "Ed25519"));
    expect(JSON.parse(new TextDecoder().decode(again.payload))).toEqual(statement.predicate.receipt);
  });

  it("CloudEvents: has every required attribute, in the forms that the specification asks for", () => {
    const event = toCloudEvent(jws);
    expect(event).toMatchObject({
      specversion: "1.0",
      id: body.rid,
      source: body.iss,
      type: "dev.oars.receipt.action.decision",
      subject: body.action.id,
      time: body.ts,
      traceparent: body.trace,
      data: { jws, receipt: body },
    });
    for (const name of Object.keys(event)) expect(name).toMatch(/^[a-z0-9]{1,20}$/);
    expect(new URL(event.source).href).toBe(body.iss);
  });
});
