/**
 * Which addresses the server may dial. Owns: the verdict on one IP address. Does not own: names (resolve.ts).
 * Invariants:
 * N1 Only global unicast addresses are dialled, unless an allow entry contains the address.
 * N2 An IPv6 form that carries an IPv4 address (mapped, RFC 6052 NAT64) is judged by that IPv4 address; forms
 *    whose IPv4 part a relay chooses (compatible, 6to4, Teredo, local-use NAT64) are never global.
 * N3 Metadata services answer with credentials: only an allow entry of that one address opens them.
 * N4 A deny entry wins over everything.
 */
import ipaddr from "ipaddr.js";
import { OarsError } from "#platform/kernel";

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

export interface AddressRules {
  /** True when this IP address (text, no brackets) may be dialled. Text that is no IP address never may. */
  permits(address: string): boolean;
}

/**
 * Rules from CIDR texts (`10.0.0.0/8`, `fd12::/16`, or one address).
 * Throws CONFIG_INVALID that names every entry that is not a CIDR.
 */
export function addressRules(lists: {
  readonly allow: readonly string[];
  readonly deny?: readonly string[] | undefined;
}): AddressRules {
  const problems: string[] = [];
  const allow = parseRanges(lists.allow, problems);
  const deny = parseRanges(lists.deny ?? [], problems);
  if (problems.length > 0) throw new OarsError("CONFIG_INVALID", { problems: problems.join("\n") });
  return { permits: (text) => judge(text, allow, deny) };
}

/** Addresses at which clouds hand out credentials; some lie in ranges that are otherwise public or shared. */
const metadata = new Set(
  [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
  ].map((text) => ipaddr.parse(text).toString()),
);

const globalUnicast = ipaddr.IPv6.parseCIDR("2000::/3");
const nat64 = ipaddr.IPv6.parseCIDR("64:ff9b::/96");

function judge(text: string, allow: readonly Range[], deny: readonly Range[]): boolean {
  const zone = text.indexOf("%");
  const plain = zone < 0 ? text : text.slice(0, zone);
  if (!ipaddr.IPv4.isValidFourPartDecimal(plain) && !ipaddr.IPv6.isValid(plain)) return false;
  const outer = ipaddr.parse(plain);
  const inner = carried(outer);
  if (within(outer, deny) || within(inner, deny)) return false;
  if (metadata.has(inner.toString())) return allow.some((range) => isSingle(range) && contains(range, inner));
  if (within(outer, allow) || within(inner, allow)) return true;
  if (inner instanceof ipaddr.IPv4) return inner.range() === "unicast";
  return inner.range() === "unicast" && inner.match(globalUnicast);
}

/** The IPv4 address that a mapped or NAT64 address stands for; any other address is itself. */
function carried(address: Address): Address {
  if (address instanceof ipaddr.IPv4) return address;
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  if (!address.match(nat64)) return address;
  return new ipaddr.IPv4(address.toByteArray().slice(12));
}

const within = (address: Address, ranges: readonly Range[]): boolean =>
  ranges.some((range) => contains(range, address));

const contains = ([base, bits]: Range, address: Address): boolean => {
  if (base instanceof ipaddr.IPv4) return address instanceof ipaddr.IPv4 && address.match(base, bits);
  return address instanceof ipaddr.IPv6 && address.match(base, bits);
};

const isSingle = ([base, bits]: Range): boolean => bits === (base instanceof ipaddr.IPv4 ? 32 : 128);

function parseRanges(texts: readonly string[], problems: string[]): Range[] {
  const ranges: Range[] = [];
  for (const text of texts) {
    try {
      ranges.push(text.includes("/") ? ipaddr.parseCIDR(text) : single(text));
    } catch {
      problems.push(`${text} is not an address range; write it like 10.0.0.0/8 or fd12::/16`);
    }
  }
  return ranges;
}

function single(text: string): Range {
  const address = ipaddr.parse(text);
  return [address, address instanceof ipaddr.IPv4 ? 32 : 128];
}
