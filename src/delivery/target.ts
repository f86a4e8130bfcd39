import ipaddr from 'ipaddr.js'
import type { Lookup } from './lookup.ts'

/** Where an endpoint's URL leads now. `addresses` is all of it: who connects looks nothing up again. */
export type Target =
  | { kind: 'open'; url: URL; addresses: readonly string[] }
  | { kind: 'unresolved'; url: URL }
  | { kind: 'refused'; reason: string }

/** What may be sent to. */
export type Policy = {
  schemes: readonly string[]
  allows: (address: string) => boolean
}

/** Outside development: the public internet, encrypted. */
export const publicOnly: Policy = { schemes: ['https:'], allows: isPublic }

/** For development: a consumer on the same machine will do. */
export const anywhere: Policy = { schemes: ['https:', 'http:'], allows: () => true }

type Options = { policy: Policy; lookup: Lookup }

/** Judges where events may be sent to. What it says names no address. */
export function createTargets({ policy, lookup }: Options) {
  function refusalOf(url: URL): string | undefined {
    if (!policy.schemes.includes(url.protocol)) {
      return `must begin with ${policy.schemes.map((scheme) => `${scheme}//`).join(' or ')}`
    }
    if (url.username !== '' || url.password !== '') return 'must not hold credentials'
    return url.href.includes('#') ? 'must not have a fragment' : undefined
  }

  async function addressesOf(host: string, signal: AbortSignal): Promise<readonly string[]> {
    if (ipaddr.isValid(host)) return [host]
    // This one never leads anywhere else, whatever DNS says (RFC 6761).
    if (/^(.+\.)?localhost\.?$/.test(host)) return ['127.0.0.1', '::1']
    return inTime(lookup(host, signal), signal).catch(() => [])
  }

  return {
    /** Every address of the name must be allowed, since any of them may be connected to. */
    async judge(text: string, signal: AbortSignal = AbortSignal.timeout(5_000)): Promise<Target> {
      const url = URL.parse(text)
      if (!url) return { kind: 'refused', reason: 'is not a URL' }
      const reason = refusalOf(url)
      if (reason !== undefined) return { kind: 'refused', reason }
      const addresses = await addressesOf(url.hostname.replace(/^\[(.*)\]$/, '$1'), signal)
      if (addresses.length === 0) return { kind: 'unresolved', url }
      if (addresses.every(policy.allows)) return { kind: 'open', url, addresses }
      return { kind: 'refused', reason: 'leads to an address that is not public' }
    }
  }
}

export type Targets = ReturnType<typeof createTargets>

/** Public by its range, and the metadata of whatever machine asks it. */
const azureWireServer = '168.63.129.16'

/** An IPv4 address inside an IPv6 one is judged as what it is. */
function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const found = ipaddr.process(address)
  // Of IPv6 only this much is the internet's (RFC 4291, 2.4); `::7f00:1` is not, and still leads home on some machines.
  const isGlobal = !(found instanceof ipaddr.IPv6) || found.match(ipaddr.IPv6.parse('2000::'), 3)
  return isGlobal && found.range() === 'unicast' && found.toString() !== azureWireServer
}

function inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  return Promise.race([work, promise])
}
