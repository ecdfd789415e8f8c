import { generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { parseCheckpoint } from "./checkpoint.ts";
import { createWebCrypto } from "./crypto.ts";
import { FormatError } from "./format-error.ts";
import { createNodeCrypto, publicKeyOf, signCheckpoint } from "./node.ts";
import { formatSignature, formatVkey, noteKey, parseNote, parseVkey, verifyNote } from "./note.ts";
import { sha256 } from "./sha256.ts";

// Published vector of golang.org/x/mod/sumdb/note.
const vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const text =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const line =
  "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
// The example of c2sp.org/tlog-checkpoint.
const example =
  "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

describe("signed notes (C2SP)", () => {
  it.each([
    ["node:crypto", createNodeCrypto()],
    ["WebCrypto", createWebCrypto()],
  ])("verifies the published note with %s and refuses a changed one", async (_, crypto) => {
    const key = parseVkey(vkey, sha256);
    const good = await verifyNote(parseNote(`${text}\n${line}`), [key], crypto);
    expect(good).toMatchObject({ status: "signed", ignored: 0 });
    const changed = parseNote(`${text.replace("answer", "ANSWER")}\n${line}`);
    expect((await verifyNote(changed, [key], crypto)).status).toBe("forged");
    expect((await verifyNote(parseNote(`${text}\n${line}`), [], crypto)).status).toBe("unknown");
  });

  it("writes the vkey that it read, and refuses every changed one", () => {
    expect(formatVkey(parseVkey(vkey, sha256))).toBe(vkey);
    for (let i = 0; i < vkey.length; i++) {
      const changed = vkey.slice(0, i) + String.fromCharCode(vkey.charCodeAt(i) + 1) + vkey.slice(i + 1);
      expect(() => parseVkey(changed, sha256), changed).toThrow(FormatError);
    }
  });

  it("accepts more than sixteen signatures, whatever the order, and no endless number", async () => {
    const key = parseVkey(vkey, sha256);
    const stranger = (i: number): string =>
      formatSignature(noteKey(`w${i}`, new Uint8Array(32).fill(i), sha256), new Uint8Array(2420));
    const many = Array.from({ length: 20 }, (_, i) => stranger(i)).join("");
    const verdict = await verifyNote(parseNote(`${text}\n${many}${line}`), [key], createNodeCrypto());
    expect(verdict).toMatchObject({ status: "signed", ignored: 20 });
    const endless = Array.from({ length: 100 }, (_, i) => stranger(i)).join("");
    expect(() => parseNote(`${text}\n${endless}`)).toThrow(FormatError);
  });

  it("ignores a key of the same name with another id", async () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const other = noteKey("PeterNeumann", publicKeyOf(privateKey).raw, sha256);
    const both = `${text}\n${formatSignature(other, sign(null, Buffer.from("no"), privateKey))}${line}`;
    const verdict = await verifyNote(parseNote(both), [parseVkey(vkey, sha256)], createNodeCrypto());
    expect(verdict).toMatchObject({ status: "signed", ignored: 1 });
  });

  it.each([
    ["no signature", `${text}\n`],
    ["no blank line", `${text}${line}`],
    ["no final newline", `${text}\n${line.slice(0, -1)}`],
    ["a control character", `a\tb\n\n${line}`],
    ["a hyphen for the dash", `${text}\n${line.replace("\u2014", "-")}`],
    ["base64 without padding", `${text}\n${line.replace("=\n", "\n")}`],
    ["a blank line among signatures", `${text}\n${line}\n`],
  ])("refuses a note with %s", (_, note) => {
    expect(() => parseNote(note)).toThrow(FormatError);
  });

  it("reads the published checkpoint", () => {
    expect(parseCheckpoint(example)).toMatchObject({
      origin: "example.com/behind-the-sofa",
      size: 20_852_163,
    });
  });

  it.each([
    ["a leading zero in the size", example.replace("20852163", "020852163")],
    ["a size beyond 2^53-1", example.replace("20852163", "9007199254740992")],
    ["a short root", example.replace("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=", "CsUYapGG")],
  ])("refuses a checkpoint with %s", (_, note) => {
    expect(() => parseCheckpoint(note)).toThrow(FormatError);
  });

  it("signs checkpoints that it verifies", async () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const head = { origin: "log.example/t", size: 3, root: sha256(new Uint8Array(0)) };
    const { note, ...read } = parseCheckpoint(signCheckpoint(head, privateKey));
    expect(read).toEqual(head);
    const key = noteKey(head.origin, publicKeyOf(privateKey).raw, sha256);
    expect((await verifyNote(note, [key], createNodeCrypto())).status).toBe("signed");
  });
});
