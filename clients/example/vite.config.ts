import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

const server = process.env.HAULIER_URL ?? 'http://127.0.0.1:8080'
const program = fileURLToPath(new URL('../../.venv/bin/haulier', import.meta.url))
const home = process.env.HAULIER_HOME ?? fileURLToPath(new URL('../../.haulier', import.meta.url))

/** In the place of your own back end, which knows who is asking: gives everybody a token of the user `anna`. */
const tokens: Plugin = {
  name: 'tokens',
  configureServer({ middlewares }) {
    middlewares.use('/token', (_, response) => {
      promisify(execFile)(program, ['token', '--user', 'anna', '--home', home], { timeout: 20_000 })
        .then(({ stdout }) => response.end(stdout.trim()))
        .catch((error: Error) => {
          response.statusCode = 503
          response.end(`No token, is Haulier running? ${error.message}`)
        })
    })
  },
}

export default defineConfig({
  plugins: [react(), tokens],
  server: { proxy: { '/v1': server, '/ws': { target: server, ws: true } } },
})
