import hooks from 'node:async_hooks'
import { syncBuiltinESMExports } from 'node:module'

// tap follows every promise to tell which test an uncaught error belongs to, which is a third of all the time that tests
// take here. Without that such an error fails its whole file.
const unhooked: hooks.AsyncHook = { enable: () => unhooked, disable: () => unhooked }
hooks.createHook = () => unhooked
syncBuiltinESMExports()
