import { defineConfig } from 'vitest/config'

export default defineConfig({
  build: {
    target: 'es2022',
    minify: true,
    sourcemap: false,
    // Vite leaves the spaces in modules, for bundlers; nobody bundles this one.
    rollupOptions: { output: { minify: true } },
    lib: { entry: 'src/index.ts', formats: ['es'], fileName: () => 'haulier-download.js' },
  },
  test: {
    include: ['test/**/*.test.ts'],
    environment: 'happy-dom',
  },
})
