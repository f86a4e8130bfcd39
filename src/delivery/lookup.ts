import { lookup, Resolver } from 'node:dns/promises'

/** Every address of a name; throws where there is none. */
export type Lookup = (host: string, signal: AbortSignal) => Promise<readonly string[]>

/** As the machine itself does it, with its own names. */
export const lookUpHere: Lookup = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address)

/**
 * By DNS alone, the machine's servers unless told otherwise. The machine's own way holds one of four threads for as long
 * as somebody's name server is silent.
 */
export function createDnsLookup(servers?: readonly string[]): Lookup {
  return async (host, signal) => {
    const resolver = new Resolver({ timeout: 2_000, tries: 2 })
    if (servers) resolver.setServers(servers)
    const cancel = () => resolver.cancel()
    signal.addEventListener('abort', cancel, { once: true })
    const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
    signal.removeEventListener('abort', cancel)
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    if (addresses.length === 0) throw new Error('The name has no address')
    return addresses
  }
}
