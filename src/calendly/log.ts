type Write = (details: object, message: string) => void

export type Log = { debug: Write; warn: Write; error: Write }
