import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Stage } from './stage.ts'

/** One address for several replicas, who take connections in turns. At one that is down a connection is lost. */
export async function openBalancer(stage: Pick<Stage, 'teardown'>) {
  const sockets = new Set<Socket>()
  let ports: readonly number[] = []
  let turns = 0
  const server = createServer((near) => {
    const port = ports[turns++ % ports.length]
    if (port === undefined) return near.destroy()
    const far = connect(port, '127.0.0.1')
    tie(near, far)
    tie(far, near)
    near.pipe(far).pipe(near)
  })

  function tie(socket: Socket, other: Socket): void {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      other.destroy()
    })
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stage.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** From now on these get what comes. */
    serve(replicas: readonly { address: string }[]): void {
      ports = replicas.map(({ address }) => Number(new URL(address).port))
    }
  }
}
