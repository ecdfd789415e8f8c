import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashOf, isRecoveryCode, newRecoveryCodes } from "./recovery.ts";
import { matchingStep, stepAt, toBase32, totpCode, totpUri } from "./totp.ts";

describe("codes by time", () => {
  const secret = Buffer.from("12345678901234567890");

  it.each([
    [59, "94287082"],
    [1111111109, "07081804"],
    [1111111111, "14050471"],
    [1234567890, "89005924"],
    [2000000000, "69279037"],
    [20000000000, "65353130"],
  ])("are those of RFC 6238 appendix B at %i s", (seconds, code) => {
    expect(totpCode(secret, stepAt(seconds), 8)).toBe(code);
  });

  it("count one step before and after their own, and only after the last that was used", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 600, max: 4e9 }),
        fc.integer({ min: -4, max: 4 }),
        fc.integer({ min: -3, max: 3 }),
        (seconds, away, used) => {
          const step = stepAt(seconds) + away;
          const last = stepAt(seconds) + used;
          const found = matchingStep(secret, totpCode(secret, step), { seconds, last });
          if (found !== undefined) {
            expect(Math.abs(found - stepAt(seconds))).toBeLessThanOrEqual(1);
            expect(found).toBeGreaterThan(last);
          } else expect(Math.abs(away) > 1 || step <= last).toBe(true);
        },
      ),
    );
  });

  it("are six digits: nothing else is looked at", () => {
    for (const code of ["", "12345", "1234567", "12345a", " 123456", "١٢٣٤٥٦"])
      expect(matchingStep(secret, code, { seconds: 59, last: 0 }), code).toBeUndefined();
  });

  it("go to authenticator apps as base32 and as an address", () => {
    expect(toBase32(Buffer.from("foobar"))).toBe("MZXW6YTBOI");
    expect(totpUri(secret, "OARS x", "ana")).toBe(
      "otpauth://totp/OARS%20x:ana?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=OARS+x&algorithm=SHA1&digits=6&period=30",
    );
  });
});

describe("recovery codes", () => {
  it("are ten different ones, known again with or without the dash and in either case", () => {
    const codes = newRecoveryCodes();
    expect(new Set(codes).size).toBe(10);
    for (const code of codes) {
      expect(isRecoveryCode(code)).toBe(true);
      expect(hashOf(` ${code.toUpperCase().replace("-", "")} `)).toEqual(hashOf(code));
    }
    expect(isRecoveryCode("123456")).toBe(false);
  });
});
