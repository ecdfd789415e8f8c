import { describe, expect, it } from "vitest";
import { soapConnector } from "./soap-connector.ts";
import { problemOfXml } from "./soap-envelope.ts";
import { act, site, testOf } from "./testing-site.ts";

const envelope = (body: string) =>
  `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>${body}</soap:Body></soap:Envelope>`;

const call = (origin: string, input: object = {}, config: object = {}) =>
  act(
    soapConnector,
    {
      url: `${origin}/orders`,
      auth: { basic: { username: "oars", password: "vault:p" } },
      reads: ["Get"],
      ...config,
    },
    "soap.call",
    { action: "Create", element: "Create", namespace: "urn:o&r", body: { id: 7, note: "a<b" }, ...input },
    { p: "s3cret-pass" },
  );

describe("a SOAP call", () => {
  it("sends an envelope whose values cannot become markup, and gives the body", async () => {
    await using remote = await site(() => ({
      body: envelope("<m:CreateResponse xmlns:m='urn:o'><m:id>7</m:id></m:CreateResponse>"),
    }));
    expect(await call(remote.origin)).toMatchObject({
      status: "completed",
      output: { body: { CreateResponse: { id: "7" } } },
    });
    expect(remote.asked[0]).toMatchObject({
      method: "POST",
      headers: {
        soapaction: '"Create"',
        "content-type": "text/xml; charset=utf-8",
        authorization: `Basic ${Buffer.from("oars:s3cret-pass").toString("base64")}`,
      },
    });
    expect(remote.asked[0]?.text).toContain(
      '<s:Body><Create xmlns="urn:o&#38;r"><id>7</id><note>a&lt;b</note></Create></s:Body>',
    );
  });

  it("of version 1.2 says its action in the content type", async () => {
    await using remote = await site(() => ({ body: envelope("<ok/>") }));
    await call(remote.origin, { body: "<id>7</id>" }, { version: "1.2" });
    expect(remote.asked[0]?.headers).toMatchObject({
      "content-type": 'application/soap+xml; charset=utf-8; action="Create"',
    });
    expect(remote.asked[0]?.text).toContain("http://www.w3.org/2003/05/soap-envelope");
  });

  it.each([
    ["1.1", "<soap:Fault><faultcode>soap:Server</faultcode><faultstring>busy</faultstring></soap:Fault>"],
    [
      "1.2",
      "<soap:Fault><soap:Code><soap:Value>soap:Receiver</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang='en'>busy</soap:Text></soap:Reason></soap:Fault>",
    ],
  ])("that ends in a fault of SOAP %s failed; only a read is tried again", async (_version, fault) => {
    await using remote = await site(() => ({ status: 500, body: envelope(fault) }));
    const message = "remote answered with a fault: busy.";
    expect(await call(remote.origin)).toMatchObject({
      status: "failed",
      retryable: false,
      error: { code: "SOAP_FAULT", message },
    });
    expect(await call(remote.origin, { action: "Get" })).toMatchObject({ status: "failed", retryable: true });
  });

  it.each(["not xml", "<a/>", '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>'])(
    "that is answered with %j is unknown when it may have acted, and never expands entities",
    async (body) => {
      await using remote = await site(() => ({ body }));
      expect(await call(remote.origin)).toMatchObject({
        status: "unknown",
        error: { code: "SOAP_ANSWER_INVALID" },
      });
      expect(await call(remote.origin, { action: "Get" })).toMatchObject({ status: "failed" });
    },
  );

  it.each(["</Create><Drop/>", "<!-- x -->", "<?pi?>", "<![CDATA[x]]>", "<a>", "<!DOCTYPE a>"])(
    "refuses XML text that could leave its element: %s",
    (text) => expect(problemOfXml(text)).toBeTypeOf("string"),
  );

  it("is tested by asking for the WSDL", async () => {
    await using remote = await site(() => ({ body: "<wsdl/>" }));
    expect(await testOf(soapConnector, { url: `${remote.origin}/orders` })).toMatchObject({ ok: true });
    expect(remote.asked[0]).toMatchObject({ method: "GET", url: "/orders?wsdl" });
  });
});
