import { defineConfig } from 'vitest/config'

export default defineConfig({
  build: {
    target: 'es2022',
    minify: false,
    sourcemap: true,
    lib: { entry: 'src/index.ts', formats: ['es'], fileName: 'index' },
  },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 25_000,
  },
})
