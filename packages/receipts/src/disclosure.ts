/**
 * SD-JWT disclosures (RFC 9901): sensitive members of a receipt, each `[salt, name, value]` as base64url
 * of its JSON. The signed body holds only their SHA-256 digests under `_sd`, so a member can be shown,
 * withheld or erased (salt and value deleted) without touching the signature. Flat members only; key
 * binding is not used.
 */
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from "./bytes.ts";
import { canonicalJson, type Json } from "./canonical.ts";
import type { Sha256 } from "./crypto.ts";
import { FormatError } from "./format-error.ts";

export interface Disclosure {
  readonly salt: string;
  readonly name: string;
  readonly value: Json;
}

export interface SdJwt {
  /** The compact JWS: what is signed and what the log holds. */
  readonly jws: string;
  readonly disclosures: readonly string[];
}

const reserved = new Set(["_sd", "...", "_sd_alg"]);

/** The text of a disclosure. `salt` is 128 random bits in base64url. */
export function encodeDisclosure(salt: string, name: string, value: unknown): string {
  if (reserved.has(name)) throw new FormatError(`a disclosure cannot be named ${name}`);
  return toBase64Url(utf8(canonicalJson([salt, name, value])));
}

/** Reads a disclosure; hostile input. Throws FormatError. */
export function decodeDisclosure(text: string): Disclosure {
  const parts = parseJson(fromUtf8(fromBase64Url(text)), "disclosure");
  if (!Array.isArray(parts) || parts.length !== 3)
    throw new FormatError("disclosure is not [salt, name, value]");
  const [salt, name, value] = parts as unknown[]; // length checked
  if (typeof salt !== "string" || typeof name !== "string" || reserved.has(name))
    throw new FormatError("disclosure has no proper salt and name");
  return { salt, name, value: value as Json }; // comes out of JSON.parse
}

/** The digest that stands for a disclosure under `_sd`. Taken over the text, as RFC 9901 §4.2.3 says. */
export const disclosureDigest = (text: string, sha256: Sha256): string => toBase64Url(sha256(utf8(text)));

/** `<jws>~<disclosure>~…~`; a receipt without disclosures is the JWS and one tilde. */
export const formatSdJwt = (jws: string, disclosures: readonly string[]): string =>
  `${[jws, ...disclosures].join("~")}~`;

/** Splits an SD-JWT; a bare JWS is accepted. Throws FormatError, also for a key-binding JWT at the end. */
export function parseSdJwt(text: string): SdJwt {
  const [jws = "", ...rest] = text.split("~");
  if (rest.length === 0) return { jws, disclosures: [] };
  if (rest.pop() !== "") throw new FormatError("an SD-JWT ends with a tilde; key binding is not used here");
  return { jws, disclosures: rest };
}

export interface DisclosedMembers {
  readonly members: Readonly<Record<string, Json>>;
  readonly problems: readonly string[];
}

/** Checks disclosures against the digests of the signed body; `members` are the ones that belong to it. */
export function checkDisclosures(
  texts: readonly string[],
  digests: readonly string[],
  taken: ReadonlySet<string>,
  sha256: Sha256,
): DisclosedMembers {
  const problems: string[] = [];
  const members: Record<string, Json> = Object.create(null);
  const known = new Set(digests);
  if (known.size !== digests.length) problems.push("the body lists a digest twice");
  const seen = new Set<string>();
  texts.forEach((text, i) => {
    const digest = disclosureDigest(text, sha256);
    if (seen.has(digest)) problems.push(`disclosure ${i + 1} is given twice`);
    else if (!known.has(digest)) problems.push(`disclosure ${i + 1} is not one that was signed`);
    else {
      try {
        const { name, value } = decodeDisclosure(text);
        if (taken.has(name) || name in members) problems.push(`disclosure ${i + 1} hides another ${name}`);
        else members[name] = value;
      } catch (error) {
        problems.push(`disclosure ${i + 1}: ${(error as Error).message}`); // decoders throw FormatError only
      }
    }
    seen.add(digest);
  });
  return { members, problems };
}

/** JSON.parse that speaks FormatError. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`${what} is not JSON`, { cause });
  }
}
