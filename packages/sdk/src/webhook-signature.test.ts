import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { signWebhook } from "./webhook-signature.ts";

describe("signWebhook", () => {
  it("signs as the reference implementation of Standard Webhooks does", async () => {
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    for (const body of ['{"test": 2432232314}', "", "é😀"]) {
      const theirs = new Webhook(secret).sign(id, new Date(1_614_265_330_000), body);
      expect(await signWebhook(secret, id, 1_614_265_330, body)).toBe(theirs);
    }
  });

  it("gives the published signature", async () => {
    const signed = await signWebhook(
      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
      "msg_p5jXN8AQM9LWM0D4loKWxJek",
      1_614_265_330,
      '{"test": 2432232314}',
    );
    expect(signed).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  });

  it("signs bytes as it signs their text, and takes a secret of plain text", async () => {
    const bytes = new TextEncoder().encode("<order/>");
    const secret = "a shared secret";
    expect(await signWebhook(secret, "m", 1, bytes)).toBe(await signWebhook(secret, "m", 1, "<order/>"));
    expect(await signWebhook("another", "m", 1, bytes)).not.toBe(await signWebhook(secret, "m", 1, bytes));
  });
});
