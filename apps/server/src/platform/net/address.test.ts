import { describe, expect, it } from "vitest";
import { addressRules } from "./address.ts";

const closed = addressRules({ allow: [] });

describe("which addresses may be dialled", () => {
  it.each(["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"])(
    "[N1] %s is public and may be dialled",
    (address) => expect(closed.permits(address)).toBe(true),
  );

  it.each([
    ["loopback", "127.0.0.1"],
    ["loopback, whole range", "127.255.3.4"],
    ["unspecified", "0.0.0.0"],
    ["this network", "0.1.2.3"],
    ["private 10/8", "10.0.0.1"],
    ["private 172.16/12", "172.31.255.255"],
    ["private 192.168/16", "192.168.1.1"],
    ["carrier-grade NAT", "100.64.0.1"],
    ["link-local", "169.254.1.1"],
    ["benchmarking", "198.18.0.1"],
    ["documentation", "203.0.113.9"],
    ["6to4 relay", "192.88.99.1"],
    ["multicast", "224.0.0.1"],
    ["reserved", "240.0.0.1"],
    ["broadcast", "255.255.255.255"],
    ["IPv6 loopback", "::1"],
    ["IPv6 unspecified", "::"],
    ["unique local", "fd12:3456::1"],
    ["IPv6 link-local", "fe80::1"],
    ["IPv6 link-local with a zone", "fe80::1%eth0"],
    ["site-local", "fec0::1"],
    ["IPv6 multicast", "ff02::1"],
    ["IPv6 documentation", "2001:db8::1"],
    ["unassigned IPv6", "4000::1"],
    ["discard", "100::1"],
  ])("[N1] %s (%s) may not be dialled", (_what, address) => expect(closed.permits(address)).toBe(false));

  it.each([
    ["mapped loopback", "::ffff:127.0.0.1"],
    ["mapped loopback in hex", "::ffff:7f00:1"],
    ["mapped metadata", "::ffff:a9fe:a9fe"],
    ["compatible loopback", "::127.0.0.1"],
    ["compatible public", "::808:808"],
    ["NAT64 of a private address", "64:ff9b::a00:1"],
    ["NAT64 of metadata", "64:ff9b::a9fe:a9fe"],
    ["local-use NAT64", "64:ff9b:1::808:808"],
    ["translated", "::ffff:0:7f00:1"],
    ["6to4 of a private address", "2002:a00:1::1"],
    ["6to4 of a public address", "2002:808:808::1"],
    ["Teredo", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
  ])("[N2] an IPv4 address inside IPv6 opens nothing: %s (%s)", (_what, address) =>
    expect(closed.permits(address)).toBe(false),
  );

  it("[N2] a mapped or NAT64 form of a public address is that address", () => {
    expect(closed.permits("::ffff:8.8.8.8")).toBe(true);
    expect(closed.permits("64:ff9b::808:808")).toBe(true);
  });

  it.each(["", "localhost", "0177.0.0.1", "2130706433", "0x7f000001", "127.1", "1.2.3", "::g"])(
    "text that is not a plain IP address is refused: %j",
    (text) => expect(addressRules({ allow: ["0.0.0.0/0", "::/0"] }).permits(text)).toBe(false),
  );

  it("an allow entry opens its range and nothing beside it", () => {
    const rules = addressRules({ allow: ["10.1.0.0/16", "fd12::/16", "127.0.0.1"] });
    expect(["10.1.2.3", "fd12::9", "127.0.0.1", "::ffff:10.1.2.3"].map(rules.permits)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(["10.2.0.1", "fd13::9", "127.0.0.2", "::1"].map(rules.permits)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it("[N3] a wide allow entry does not open a metadata service; an entry of that one address does", () => {
    const metadata = [
      "169.254.169.254",
      "fd00:ec2::254",
      "100.100.100.200",
      "168.63.129.16",
      "::ffff:169.254.169.254",
    ];
    const wide = addressRules({ allow: ["0.0.0.0/0", "::/0"] });
    expect(metadata.filter(wide.permits)).toEqual([]);
    const named = addressRules({
      allow: ["169.254.169.254/32", "fd00:ec2::254/128", "100.100.100.200", "168.63.129.16"],
    });
    expect(metadata.filter(named.permits)).toEqual(metadata);
  });

  it("[N4] a deny entry wins over public and over allowed", () => {
    const rules = addressRules({ allow: ["10.0.0.0/8"], deny: ["10.9.0.0/16", "8.8.8.0/24"] });
    expect(["10.9.1.1", "8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808"].filter(rules.permits)).toEqual([]);
    expect(rules.permits("10.8.1.1")).toBe(true);
  });

  it("names every entry that is not a range", () => {
    expect(() => addressRules({ allow: ["10.0.0.0/8", "intranet", "10.0.0.0/99"], deny: ["x/8"] })).toThrow(
      /intranet .*\n10\.0\.0\.0\/99 .*\nx\/8 /,
    );
  });
});
