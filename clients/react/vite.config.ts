import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const react18 = (name: string) => fileURLToPath(new URL(`../react18/node_modules/${name}`, import.meta.url))
const tests = { environment: 'happy-dom', include: ['test/**/*.test.{ts,tsx}'], testTimeout: 10_000 }

export default defineConfig({
  build: {
    target: 'es2022',
    minify: false,
    sourcemap: true,
    lib: { entry: 'src/index.ts', formats: ['es'], fileName: 'index' },
    rollupOptions: {
      external: [/^react(-dom)?($|\/)/, '@haulier/client'],
      // Server components may import it: it is code of the browser.
      output: { banner: "'use client'" },
    },
  },
  test: {
    projects: [
      { test: { ...tests, name: 'React 19' } },
      {
        resolve: { alias: { react: react18('react'), 'react-dom': react18('react-dom') } },
        // The documentation is the same for both.
        test: { ...tests, name: 'React 18', exclude: ['test/docs.test.ts'] },
      },
    ],
  },
})
